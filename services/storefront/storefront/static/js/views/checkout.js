// From the cart to an order: a quote, a way to pay, one button.

import { get, post } from "../api.js";
import { cart } from "../cart.js";
import { busy, h, icon, toast } from "../dom.js";
import { countdown, money } from "../format.js";
import { pending, place } from "../pending.js";
import { forLines, picture } from "../products.js";

// What the simulated bank does with each of its tokens; a real provider's page would hand one out.
const TEST_CARDS = [
  ["tok_ok", "Everyday card", "Pays at once."],
  ["tok_declined", "Empty card", "The bank says no; nothing is charged."],
  ["tok_requires_action", "Careful card", "Asks you to confirm on the bank's page."],
  ["tok_slow", "Slow card", "Pays, after a while."],
  ["tok_timeout_after_charge", "Silent card", "The bank charges but forgets to answer."],
  ["tok_error_after_charge", "Stumbling card", "The bank charges, then reports an error."],
  ["tok_refund_fails_once", "Stubborn card", "Pays; a refund needs a second try."],
];

export async function checkout({ signal, go }) {
  const unanswered = pending();
  if (unanswered) return resume(unanswered, go);
  await cart.reload();
  if (!cart.lines().length) return emptyHanded();
  const [quote, methods] = await Promise.all([ask(signal), get("/payment-methods", { signal })]);
  const lines = await forLines(quote.lines, signal);
  const products = new Map(lines.map((line) => [line.sku, line.product]));
  return page({ quote, products, saved: methods.items, keys: {}, go, signal });
}

const ask = (signal) => post("/quotes", { lines: cart.lines() }, { signal, auth: false, harmless: true });

async function resume({ quote, paymentMethodId }, go) {
  const order = await place(quote, paymentMethodId);
  await go(`/orders/${order.id}`, { replace: true });
  throw new DOMException("went on to the order", "AbortError");
}

const emptyHanded = () =>
  h("section", { class: "empty" }, h("h1", {}, "Nothing to check out"),
    h("p", {}, "Your cart is empty."), h("a", { class: "button", href: "/" }, "Look around"));

function page(state) {
  const notice = h("p", { class: "notice", role: "status", hidden: true });
  const clock = h("span", {});
  const button = h("button", { class: "button wide", type: "submit" });
  const total = h("strong", { class: "total" });
  const list = h("ul", { class: "mini" });
  const price = () => {
    list.replaceChildren(...state.quote.lines.map((line) => mini(line, state)));
    total.textContent = money(state.quote.total);
    button.replaceChildren(icon("lock"), `Order and pay ${money(state.quote.total)}`);
  };
  price();
  tick(clock, state);
  const form = h("form", { class: "split" },
    h("section", {}, h("h1", {}, "Checkout"), notice, ways(state.saved)),
    h("aside", { class: "summary", "aria-label": "Your order" },
      h("h2", {}, "Your order"),
      list,
      h("p", { class: "pair" }, h("span", {}, "Total"), total),
      h("p", { class: "hint" }, icon("clock"), "Prices held for ", clock),
      button,
      h("a", { class: "textlink", href: "/cart" }, "Back to the cart")));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    busy(button, () => submit(form, state, notice, price)).catch((error) => tell(notice, error.message));
  });
  return form;
}

function mini(line, { products, quote }) {
  const product = products.get(line.sku);
  const { currency } = quote.total;
  return h("li", {},
    product && h("span", { class: "thumb" }, picture(product, 64)),
    h("span", {}, `${line.quantity} × ${line.title ?? line.sku}`),
    h("span", { class: "price" }, money({ amount: line.unit_price * line.quantity, currency })));
}

function ways(saved) {
  const options = [
    ...saved.map((method) => way(`saved:${method.id}`, method.label, "Saved with this account.")),
    ...TEST_CARDS.map(([token, label, what]) => way(`new:${token}`, label, what, token)),
  ];
  options[0].querySelector("input").checked = true;
  return h("fieldset", { class: "ways" },
    h("legend", {}, "How would you like to pay?"),
    h("p", { class: "hint" }, "The bank is simulated and no card number is ever asked for. Each test card shows another end of the story."),
    options);
}

function way(value, label, what, token = null) {
  return h("label", { class: "way" },
    h("input", { type: "radio", name: "way", value, required: true }),
    icon("card"),
    h("span", {}, h("strong", {}, label), h("small", {}, what)),
    token && h("code", {}, token));
}

/** A chosen test card is stored first; trying again with it does not store it again. */
async function methodOf(form, state) {
  const [kind, value] = new FormData(form).get("way").split(/:(.*)/);
  if (kind === "saved") return value;
  const label = TEST_CARDS.find(([token]) => token === value)[1];
  state.keys[value] ??= crypto.randomUUID();
  return (await post("/payment-methods", { token: value, label }, { key: state.keys[value] })).id;
}

async function submit(form, state, notice, price) {
  notice.hidden = true;
  const method = await methodOf(form, state);
  try {
    await arrive(await place(state.quote, method), state.go);
  } catch (error) {
    if (error.slug !== "quote-expired") throw error;
    await renew(state, method, notice, price);
  }
}

/** The time is over: the same price goes through, another one needs another yes. */
async function renew(state, method, notice, price) {
  const before = state.quote.total;
  state.quote = await ask(state.signal);
  price();
  if (state.quote.total.amount === before.amount) return arrive(await place(state.quote, method), state.go);
  const currency = before.currency;
  tell(notice, `Prices changed while you were here: the total is now ${money(state.quote.total)} instead of ${money({ amount: before.amount, currency })}. Order again if that is fine.`);
}

async function arrive(order, go) {
  await cart.reload().catch(() => null);
  await go(`/orders/${order.id}`, { replace: true });
  toast("Thank you! Your order is placed.");
}

function tell(notice, text) {
  notice.textContent = text;
  notice.hidden = false;
  notice.scrollIntoView({ block: "center" });
}

function tick(clock, state) {
  const show = () => {
    const left = new Date(state.quote.expires_at) - Date.now();
    clock.textContent = left > 0 ? countdown(left) : "0:00; we ask again when you order";
  };
  show();
  const timer = setInterval(show, 1000);
  state.signal.addEventListener("abort", () => clearInterval(timer), { once: true });
}
