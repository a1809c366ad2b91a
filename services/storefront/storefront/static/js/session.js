// Who is signed in. The access token lives in this module only: never in storage, never in a URL.

import { Problem, get, patch, post, remove, sleep } from "./api.js";

// Tells a later page that a refresh cookie may exist; the cookie itself is out of script's reach.
const HINT = "signed-in";

let access = null;
let user = null;
let refreshing = null;
const listeners = new Set();

function announce() {
  for (const listener of listeners) listener(user);
}

function forget() {
  const was = user;
  access = null;
  user = null;
  localStorage.removeItem(HINT);
  if (was) announce();
}

async function enter(token) {
  access = token;
  user = await get("/users/me");
  localStorage.setItem(HINT, "1");
  announce();
}

const asked = () => fetch("/api/v1/tokens/refresh", { method: "POST" }).catch(() => null);

/** The service allows the same cookie again for ten seconds, so a lost answer may be asked for twice. */
async function renew() {
  const response = (await asked()) ?? (await sleep(500).then(asked));
  if (response?.ok) {
    access = (await response.json()).access_token;
    return true;
  }
  if (response && response.status < 500) forget();
  return false;
}

export const session = {
  token: () => access,
  user: () => user,
  onchange: (listener) => listeners.add(listener),

  /** One refresh at a time; true when there is a fresh access token. */
  refresh() {
    if (!localStorage.getItem(HINT)) return Promise.resolve(false);
    refreshing ??= renew().finally(() => (refreshing = null));
    return refreshing;
  },

  /** Picks an earlier session up after a reload. */
  async resume() {
    if (!(await this.refresh())) return;
    await enter(access).catch(() => forget());
  },

  async signIn(email, password) {
    const { access_token: token } = await post("/tokens", { email, password }, { auth: false, harmless: true });
    await enter(token);
  },

  /** The service gives no hint whether the address was free; signing in shows it. */
  async register(name, email, password) {
    await post("/users", { name, email, password }, { auth: false, key: crypto.randomUUID() });
    try {
      await this.signIn(email, password);
    } catch (error) {
      if (!(error instanceof Problem) || error.status !== 401) throw error;
      throw new Error("This address cannot be registered. If it is yours, sign in with the password you chose before.");
    }
  },

  async rename(name) {
    user = await patch("/users/me", { name });
    announce();
  },

  async changePassword(current, password) {
    await post("/users/me/password", { current_password: current, new_password: password });
    await this.signIn(user.email, password);
  },

  /** The service forgets the user as soon as no order is open. */
  async deleteAccount() {
    await remove("/users/me");
    forget();
  },

  async signOut(everywhere = false) {
    await remove(everywhere ? "/tokens" : "/tokens/current").catch(() => null);
    forget();
  },
};
