// The cart: in this browser for a guest, with the orders service for a customer.

import { get, put, remove } from "./api.js";
import { session } from "./session.js";

const STORE = "guest-cart";
export const MOST = 99;

let lines = guest();
const listeners = new Set();

function guest() {
  try {
    return JSON.parse(localStorage.getItem(STORE)) || [];
  } catch {
    return [];
  }
}

function accept(next) {
  lines = next;
  if (!session.user()) localStorage.setItem(STORE, JSON.stringify(next));
  for (const listener of listeners) listener(lines);
}

function changed(sku, quantity) {
  const known = lines.some((line) => line.sku === sku);
  const next = known ? lines.map((line) => (line.sku === sku ? { sku, quantity } : line)) : [...lines, { sku, quantity }];
  return next.filter((line) => line.quantity > 0);
}

export const cart = {
  lines: () => lines,
  count: () => lines.reduce((sum, line) => sum + line.quantity, 0),
  quantity: (sku) => lines.find((line) => line.sku === sku)?.quantity ?? 0,
  onchange: (listener) => listeners.add(listener),

  async set(sku, quantity) {
    if (session.user()) {
      await (quantity > 0 ? put(`/cart/items/${encodeURIComponent(sku)}`, { quantity }) : remove(`/cart/items/${encodeURIComponent(sku)}`));
    }
    accept(changed(sku, quantity));
  },

  add(sku, quantity) {
    return this.set(sku, Math.min(MOST, this.quantity(sku) + quantity));
  },

  async reload() {
    accept(session.user() ? (await get("/cart")).lines : guest());
  },

  /** What a guest had collected joins the customer's cart. */
  async adopt() {
    const collected = guest();
    localStorage.removeItem(STORE);
    await this.reload();
    for (const { sku, quantity } of collected) await this.add(sku, quantity);
  },
};
