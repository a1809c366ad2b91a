// Talks to the services under /api/v1 on this page's own origin.

import { session } from "./session.js";

const BASE = "/api/v1";
const RETRIES = [300, 900, 2000];

/** An RFC 9457 answer. `slug` is the last part of its type. */
export class Problem extends Error {
  constructor(status, body, retryAfter) {
    super(said(body) || `The shop answered ${status}.`);
    this.status = status;
    this.slug = (body.type || "").split(":").pop();
    this.retryAfter = retryAfter;
  }
}

/** What is wrong with each field says more than that something is. */
const said = ({ errors, detail, title }) => (errors?.length ? errors.map((one) => one.message).join(" ") : detail || title);

/** The network or a service is away; nothing is known about the outcome. */
export class Unreachable extends Error {
  constructor() {
    super("The shop cannot be reached right now. Check your connection and try again.");
  }
}

export const get = (path, options) => request("GET", path, options);
export const put = (path, body, options) => request("PUT", path, { ...options, body });
export const post = (path, body, options) => request("POST", path, { ...options, body });
export const patch = (path, body, options) => request("PATCH", path, { ...options, body });
export const remove = (path, options) => request("DELETE", path, options);

/** A POST is repeated only with a `key`, or when it is `harmless`; `auth: false` sends no token. */
export async function request(method, path, options = {}) {
  let response = await attempt(method, path, options);
  if (response.status === 401 && options.auth !== false && (await session.refresh())) {
    response = await attempt(method, path, options);
  }
  return read(response);
}

async function attempt(method, path, options) {
  const repeatable = method !== "POST" || Boolean(options.key) || options.harmless;
  for (const pause of RETRIES) {
    const response = await once(method, path, options);
    if (response && !(repeatable && [502, 503, 504].includes(response.status))) return response;
    if (!repeatable) break;
    await sleep(pause, options.signal);
  }
  const last = repeatable ? await once(method, path, options) : null;
  if (!last) throw new Unreachable();
  return last;
}

/** The response, or null when nothing answered. */
async function once(method, path, { base = BASE, body, key, auth, signal }) {
  const headers = { Accept: "application/json" };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (key) headers["Idempotency-Key"] = key;
  if (auth !== false && session.token()) headers.Authorization = `Bearer ${session.token()}`;
  const init = { method, headers, signal, body: body === undefined ? undefined : JSON.stringify(body) };
  try {
    return await fetch(base + path, init);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    return null;
  }
}

async function read(response) {
  if (response.ok) return response.status === 204 ? null : response.json();
  const body = await response.json().catch(() => ({}));
  throw new Problem(response.status, body, Number(response.headers.get("Retry-After")) || null);
}

export function sleep(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, milliseconds);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(new DOMException("left the page", "AbortError"));
    }, { once: true });
  });
}
