// What happens inside the shop, for those who run it; asks again every second.

import { request, sleep } from "../api.js";
import { busy, field, h, prose, toast } from "../dom.js";
import { plural, time } from "../format.js";
import { session } from "../session.js";

const BASE = "/ops/api";
const EVERY = 1000;
const ask = (path, signal) => request("GET", path, { base: BASE, signal });
const send = (method, path, body) => request(method, path, { base: BASE, body });

export async function ops({ signal }) {
  if (!session.user().scopes.includes("ops")) return notAllowed();
  const parts = { sagas: h("div"), services: h("div"), lights: h("ul", { class: "lights" }), letters: h("div") };
  const board = { parts, lights: await ask("/lights", signal), live: {}, shown: {} };
  const faults = h("div");
  const seen = await look(board, signal);
  if (seen.some((one) => one.state?.faults)) faults.append(...switches());
  watch(board, signal);
  return h("div", { class: "ops" }, h("h1", {}, "Operations"),
    h("div", { class: "panels" },
      h("div", { class: "column" },
        panel("Under way", parts.sagas), panel("Services", parts.services), panel("Dead letters", parts.letters)),
      panel("Invariants", parts.lights, checker(board))),
    faults);
}

const notAllowed = () =>
  h("section", { class: "empty" }, h("h1", {}, "Not for this account"),
    h("p", {}, "This page needs an account with the scope ops."));

const panel = (title, ...content) => h("section", { class: "panel", "aria-label": title }, h("h2", {}, title), content);

async function watch(board, signal) {
  while (!signal.aborted) {
    await sleep(EVERY, signal).catch(() => null);
    if (!signal.aborted) await look(board, signal).catch(() => null);
  }
}

async function look(board, signal) {
  const [seen, letters] = await Promise.all([ask("/state", signal), ask("/dead-letters", signal)]);
  board.live = violated(seen);
  show(board, "sagas", seen, sagas);
  show(board, "services", seen, services);
  show(board, "letters", letters, deadLetters);
  showLights(board);
  return seen;
}

/** Only what changed is drawn again, so that the keyboard's focus stays where it is. */
function show(board, part, value, draw) {
  const text = JSON.stringify(value);
  if (board.shown[part] === text) return;
  board.shown[part] = text;
  board.parts[part].replaceChildren(draw(value));
}

// --- what is under way

function sagas(seen) {
  const rows = seen.flatMap(({ service, state }) => (state?.sagas ?? []).map((saga) => [service, saga]));
  const orders = rows.filter(([service]) => service === "orders").reduce((sum, [, saga]) => sum + saga.count, 0);
  const lead = h("p", { class: "open-orders" }, h("strong", {}, orders), orders === 1 ? " open order" : " open orders");
  if (!rows.length) return h("div", {}, lead, h("p", { class: "hint" }, "Everything has come to its end."));
  return h("div", {}, lead, table("Sagas by state", ["Of", "State", "Number", "Oldest"],
    rows.map(([service, saga]) => [service, h("span", { class: "pill", "data-saga": saga.state }, saga.state), saga.count, age(saga.oldest_seconds)])));
}

function services(seen) {
  return table("Services", ["Service", "Outbox", "Oldest", "Dead letters", "Handles messages"],
    seen.map(({ service, state, trouble }) => state
      ? [service, state.outbox, age(state.outbox_oldest_seconds), state.dead_letters, state.consumers ? "yes" : "no"]
      : [service, h("span", { class: "pill bad" }, trouble), "–", "–", "–"]));
}

function table(caption, heads, rows) {
  return h("table", {}, h("caption", { class: "hidden" }, caption),
    h("thead", {}, h("tr", {}, heads.map((text) => h("th", { scope: "col" }, text)))),
    h("tbody", {}, rows.map(([first, ...cells]) =>
      h("tr", {}, h("th", { scope: "row" }, first), cells.map((cell) => h("td", {}, cell))))));
}

function age(seconds) {
  if (seconds < 0.5) return "–";
  return seconds < 120 ? `${Math.round(seconds)} s` : `${Math.round(seconds / 60)} min`;
}

// --- invariants

/** What the services' own checks, every 15 s, found broken. */
function violated(seen) {
  const counts = {};
  for (const { service, state } of seen) {
    for (const [name, count] of Object.entries(state?.invariants ?? {})) {
      if (count) counts[name] = `${service}: ${plural(count, "row")}`;
    }
  }
  return counts;
}

function showLights(board) {
  const lights = board.lights.map((light) => (board.live[light.name] ? { ...light, colour: "red", said: board.live[light.name] } : light));
  const text = JSON.stringify(lights);
  if (board.shown.lights === text) return;
  board.shown.lights = text;
  board.parts.lights.replaceChildren(...lights.map(light));
}

const light = ({ name, meaning, colour, said }) =>
  h("li", { class: `light ${colour}`, "data-light": name, "data-colour": colour },
    h("span", { class: "lamp", role: "img", "aria-label": colour }), h("strong", {}, name),
    h("span", {}, meaning), h("small", {}, prose(said)));

function checker(board) {
  const when = h("p", { class: "hint", role: "status" }, "Nothing was checked yet.");
  const button = h("button", { class: "button quiet", type: "button", onclick: () => busy(button, check) }, "Check everything now");
  async function check() {
    try {
      const verdict = await send("POST", "/audit");
      board.lights = verdict.lights;
      when.textContent = `Checked at ${time(verdict.at)}. ${verdict.under_way.length ? `Under way: ${verdict.under_way.join(", ")}.` : "The shop is at rest."}`;
    } catch (problem) {
      board.lights = board.lights.map((light) => ({ ...light, colour: "grey", said: "not checked" }));
      when.textContent = `The check could not be made: ${problem.message}`;
    }
    showLights(board);
  }
  return h("div", { class: "actions" }, button, when);
}

// --- dead letters

function deadLetters(letters) {
  if (!letters.length) return h("p", { class: "hint" }, "Every message could be handled.");
  return h("ul", { class: "letters" }, letters.map(letter));
}

function letter(one) {
  const name = `${one.service} ${one.type}`;
  const button = h("button", { class: "button quiet", type: "button", "aria-label": `Replay ${name}`, onclick: () => busy(button, replay) }, "Replay");
  async function replay() {
    const path = `/dead-letters/${one.service}/${one.consumer}/${one.message_id}/replay`;
    await send("POST", path).then(() => toast(`${name} was handled.`), (problem) => toast(problem.message));
  }
  return h("li", {}, h("div", {}, h("strong", {}, name), ` failed ${plural(one.count, "time")}`, h("small", {}, prose(one.error))), button);
}

// --- fault switches

const SERVICES = ["auth", "catalog", "orders", "payments"];

function switches() {
  return [h("h2", {}, "Faults"), h("p", { class: "notice" }, "These hurt the running shop on purpose. No order may be lost by any of them."),
    h("div", { class: "panels" }, SERVICES.map(faultsOf))];
}

function faultsOf(service) {
  const latency = number("Latency in seconds", 30);
  const errors = number("Failing requests in %", 100);
  const drop = number("Lost messages in %", 100);
  const duplicate = number("Doubled messages in %", 100);
  const point = field("Dies at the crash point", { type: "text", placeholder: `${service}.relay_sent.before_commit`, autocomplete: "off" }, "Empty: at once, as if the plug was pulled.");
  const apply = h("button", { class: "button quiet", type: "submit" }, "Switch");
  const die = h("button", { class: "button quiet", type: "button", "aria-label": `Kill ${service}`, onclick: () => busy(die, kill) }, "Kill");
  const told = (work, text) => work.then(() => toast(text), (problem) => toast(problem.message));
  const kill = () => told(send("POST", `/faults/${service}/death`, { point: point.input.value.trim() || null }), `${service} dies.`);
  const body = () => ({ latency: Number(latency.input.value), errors: errors.input.value / 100, drop: drop.input.value / 100, duplicate: duplicate.input.value / 100 });
  const form = h("form", { class: "panel", "aria-label": `Faults of ${service}` }, h("h3", {}, service),
    h("div", { class: "knobs" }, [latency, errors, drop, duplicate].map((one) => one.node)), apply,
    h("div", { class: "death" }, point.node, die));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    busy(apply, () => told(send("PUT", `/faults/${service}`, body()), `${service}: switched.`));
  });
  return form;
}

const number = (label, max) => field(label, { type: "number", min: 0, max, step: "any", value: 0 });
