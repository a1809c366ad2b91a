// All orders of the customer, newest first.

import { get } from "../api.js";
import { h } from "../dom.js";
import { day, money, plural } from "../format.js";
import * as story from "../story.js";

export async function orders({ signal }) {
  const page = await get("/orders?limit=20", { signal });
  if (!page.items.length) return empty();
  const list = h("ul", { class: "orders" }, page.items.map(row));
  return h("div", { class: "narrow" }, h("h1", {}, "Your orders"), list, more(list, page.next_cursor));
}

const empty = () =>
  h("section", { class: "empty" }, h("h1", {}, "No orders yet"),
    h("p", {}, "Your first one will show here, live."),
    h("a", { class: "button", href: "/" }, "Look around"));

function row(order) {
  const { text, tone } = story.state(order.state);
  const count = order.lines.reduce((sum, line) => sum + line.quantity, 0);
  return h("li", {},
    h("a", { href: `/orders/${encodeURIComponent(order.id)}` },
      h("span", { class: "thumbs", "aria-hidden": "true" }, order.lines.slice(0, 3).map(thumb)),
      h("span", { class: "what" },
        h("strong", {}, order.lines.map((line) => line.title ?? line.sku).join(", ")),
        h("small", {}, `${day(order.created_at)} · ${plural(count, "piece")}`)),
      h("span", { class: `pill ${tone}` }, text),
      h("span", { class: "price" }, money(order.total))));
}

// An order knows no picture; the shop's own are named by SKU, and one that is missing just stays empty.
function thumb({ sku }) {
  const image = h("img", { src: `/static/products/${encodeURIComponent(sku)}.svg`, alt: "", width: 56, height: 56, loading: "lazy" });
  image.addEventListener("error", () => image.remove());
  return h("span", { class: "thumb" }, image);
}

function more(list, cursor) {
  if (!cursor) return null;
  const button = h("button", { class: "button quiet", type: "button" }, "Show older orders");
  const holder = h("p", { class: "more" }, button);
  button.addEventListener("click", async () => {
    const page = await get(`/orders?${new URLSearchParams({ limit: 20, cursor })}`);
    list.append(...page.items.map(row));
    holder.replaceWith(more(list, page.next_cursor) || "");
  });
  return holder;
}
