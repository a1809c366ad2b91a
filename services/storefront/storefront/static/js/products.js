// Reads products and shows them as cards.

import { get } from "./api.js";
import { h } from "./dom.js";
import { money } from "./format.js";

export const product = (sku, signal) => get(`/products/${encodeURIComponent(sku)}`, { auth: false, signal });

export const products = (query, signal) => get(`/products?${new URLSearchParams(query)}`, { auth: false, signal });

/** A picture that is missing leaves its frame empty. */
export function picture({ image, title }, size = 600, lazy = true) {
  if (!image) return null;
  const shown = { src: image, alt: title, width: size, height: size, loading: lazy ? "lazy" : "eager", decoding: "async" };
  return h("img", { ...shown, onerror: (event) => event.currentTarget.remove() });
}

export function stock(available) {
  if (available <= 0) return { tone: "out", text: "Sold out" };
  if (available === 1) return { tone: "low", text: "Last one" };
  if (available <= 5) return { tone: "low", text: `Only ${available} left` };
  return { tone: "in", text: "In stock" };
}

export function card(item, lazy = true) {
  const { tone, text } = stock(item.available);
  return h("li", { class: `card ${tone}` },
    h("a", { href: `/products/${encodeURIComponent(item.sku)}` },
      h("span", { class: "frame" }, picture(item, 600, lazy), tone !== "in" && h("span", { class: `flag ${tone}` }, text)),
      h("span", { class: "caption" },
        h("span", { class: "name" }, item.title),
        h("span", { class: "price" }, money(item.price)))));
}

/** A product for every line; null where it is no longer sold. */
export async function forLines(lines, signal) {
  const found = await Promise.all(lines.map((line) => product(line.sku, signal).catch((error) => {
    if (error.status === 404) return null;
    throw error;
  })));
  return lines.map((line, index) => ({ ...line, product: found[index] }));
}
