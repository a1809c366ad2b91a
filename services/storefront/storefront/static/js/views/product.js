// One product.

import { MOST, cart } from "../cart.js";
import { busy, h, icon, stepper, toast } from "../dom.js";
import { money, title } from "../format.js";
import { card, picture, product, products, stock } from "../products.js";

export async function detail({ parameters: [sku], signal }) {
  const item = await product(sku, signal);
  const beside = await products({ category: item.category, limit: 5 }, signal).catch(() => ({ items: [] }));
  const others = beside.items.filter((other) => other.sku !== sku).slice(0, 4);
  return h("div", {},
    h("article", { class: "product" },
      h("div", { class: "frame" }, picture(item, 600, false)),
      h("div", { class: "about" },
        h("nav", { class: "crumbs", "aria-label": "You are here" },
          h("a", { href: "/" }, "Shop"), " / ", h("a", { href: `/?category=${encodeURIComponent(item.category)}` }, title(item.category))),
        h("h1", {}, item.title),
        h("p", { class: "price big" }, money(item.price)),
        h("p", { class: "lead" }, item.description),
        buying(item),
        h("ul", { class: "notes" },
          h("li", {}, icon("box"), "Reserved for you the moment you order"),
          h("li", {}, icon("lock"), "The price you see is held for ten minutes at checkout"),
          h("li", {}, icon("undo"), "Cancel until the order is confirmed")))),
    others.length > 0 && h("section", { class: "shelf", "aria-labelledby": "beside" },
      h("h2", { id: "beside" }, "Goes well with it"),
      h("ul", { class: "grid" }, others.map((other) => card(other)))));
}

function buying(item) {
  const { tone, text } = stock(item.available);
  const state = h("p", { class: `stock ${tone}` }, text);
  if (tone === "out") return h("div", { class: "buying" }, state, h("button", { class: "button", disabled: true }, "Sold out"));
  let quantity = 1;
  const button = h("button", { class: "button wide", type: "button" }, icon("bag"), "Add to cart");
  button.addEventListener("click", () => busy(button, () => add(item, quantity)));
  const most = Math.min(MOST, item.available);
  return h("div", { class: "buying" }, state,
    h("div", { class: "row" }, stepper("Quantity", 1, (value) => (quantity = value), most), button));
}

async function add(item, quantity) {
  try {
    await cart.add(item.sku, quantity);
    toast(h("span", {}, `${item.title} is in your cart. `), h("a", { href: "/cart" }, "Go to the cart"));
  } catch (error) {
    toast(error.message);
  }
}
