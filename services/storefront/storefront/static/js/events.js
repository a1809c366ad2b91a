// Server-sent events over fetch, so that the token travels in a header and not in a URL.

import { sleep } from "./api.js";
import { session } from "./session.js";

/** Calls `onevent` for every event and whenever a connection ends, until the signal ends it all; reconnects where it left off. */
export async function follow(path, onevent, signal) {
  const state = { last: "", pause: 1000 };
  while (!signal.aborted) {
    try {
      await connect(path, state, onevent, signal);
    } catch (error) {
      if (signal.aborted || error.name === "AbortError") return;
    }
    onevent();
    await sleep(state.pause, signal).catch(() => null);
  }
}

async function connect(path, state, onevent, signal) {
  const headers = { Accept: "text/event-stream", Authorization: `Bearer ${session.token()}` };
  if (state.last) headers["Last-Event-ID"] = state.last;
  const response = await fetch(`/api/v1${path}`, { headers, signal });
  if (response.status === 401) await session.refresh();
  if (!response.ok) return;
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const blocks = (rest + value).replaceAll("\r\n", "\n").split("\n\n");
    rest = blocks.pop();
    for (const block of blocks) dispatch(block, state, onevent);
  }
}

function dispatch(block, state, onevent) {
  let news = false;
  for (const line of block.split("\n")) {
    const [, name, value] = /^([^:]*):? ?(.*)$/.exec(line);
    if (name === "data") news = true;
    else if (name === "retry" && /^\d+$/.test(value)) state.pause = Number(value);
    else if (name === "id") state.last = value;
  }
  if (news) onevent();
}
