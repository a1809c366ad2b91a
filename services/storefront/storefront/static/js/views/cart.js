// The cart.

import { cart } from "../cart.js";
import { h, icon, stepper, toast } from "../dom.js";
import { money, plural } from "../format.js";
import { forLines, picture, stock } from "../products.js";

export async function basket({ signal, refresh }) {
  await cart.reload();
  const lines = await forLines(cart.lines(), signal);
  if (!lines.length) return empty();
  const total = h("strong", { class: "total" }, sum(lines));
  const update = () => (total.textContent = sum(lines));
  return h("div", { class: "split" },
    h("section", {},
      h("h1", {}, "Your cart"),
      h("ul", { class: "lines" }, lines.map((line) => row(line, update, refresh)))),
    h("aside", { class: "summary", "aria-label": "Summary" },
      h("h2", {}, "Summary"),
      h("p", { class: "pair" }, h("span", {}, "Subtotal"), total),
      h("p", { class: "hint" }, "Prices are fixed for you in the next step."),
      h("a", { class: "button wide", href: "/checkout" }, "Check out", icon("next")),
      h("a", { class: "textlink", href: "/" }, "Keep looking around")));
}

const empty = () =>
  h("section", { class: "empty" }, h("h1", {}, "Your cart is empty"),
    h("p", {}, "Something warm for the kitchen, perhaps?"),
    h("a", { class: "button", href: "/" }, "Look around"));

function sum(lines) {
  const priced = lines.filter((line) => line.product);
  if (!priced.length) return "";
  const amount = priced.reduce((total, line) => total + line.product.price.amount * line.quantity, 0);
  return money({ amount, currency: priced[0].product.price.currency });
}

function row(line, update, refresh) {
  const { product } = line;
  const price = h("span", { class: "price" }, sum([line]));
  const change = (quantity) => set(line, quantity, () => {
    price.textContent = sum([line]);
    update();
  });
  return h("li", {},
    product ? h("a", { href: `/products/${encodeURIComponent(line.sku)}`, class: "thumb", tabindex: "-1", "aria-hidden": "true" }, picture(product, 112)) : h("span", { class: "thumb" }),
    h("div", { class: "what" },
      product ? h("a", { href: `/products/${encodeURIComponent(line.sku)}` }, product.title) : h("span", {}, `${line.sku} is no longer sold`),
      product && shortage(line, product)),
    product && stepper(`Quantity of ${product.title}`, line.quantity, change),
    price,
    h("button", { class: "textlink", type: "button", "aria-label": `Remove ${product?.title ?? line.sku}`, onclick: () => set(line, 0, refresh) }, "Remove"));
}

function shortage(line, product) {
  const { tone, text } = stock(product.available);
  if (product.available < line.quantity && tone !== "out") return h("span", { class: "stock low" }, `Only ${plural(product.available, "piece")} left`);
  return h("span", { class: `stock ${tone}` }, text);
}

async function set(line, quantity, done) {
  try {
    await cart.set(line.sku, quantity);
    line.quantity = quantity;
    done();
  } catch (error) {
    toast(error.message);
  }
}
