// One order, live.

import { get, post } from "../api.js";
import { cart } from "../cart.js";
import { busy, h, icon, toast } from "../dom.js";
import { follow } from "../events.js";
import { day, money, time } from "../format.js";
import { forLines, picture } from "../products.js";
import * as story from "../story.js";

export async function order({ parameters: [id], signal }) {
  const path = `/orders/${encodeURIComponent(id)}`;
  const first = await get(path, { signal });
  const lines = await forLines(first.lines, signal).catch(() => first.lines);
  const parts = { head: h("div", {}), told: h("ol", { class: "timeline", "aria-live": "polite" }), choice: h("div", {}) };
  const show = (now) => draw(parts, now, path);
  show(first);
  if (!story.FINAL.has(first.state)) watch(path, show, signal);
  return h("div", { class: "split" },
    h("section", {},
      h("nav", { class: "crumbs", "aria-label": "You are here" }, h("a", { href: "/orders" }, icon("back"), "Your orders")),
      parts.head, h("h2", {}, "What happened"), parts.told, parts.choice),
    h("aside", { class: "summary", "aria-label": "What you ordered" },
      h("h2", {}, "What you ordered"),
      h("ul", { class: "mini" }, lines.map((line) => mini(line, first.total.currency))),
      h("p", { class: "pair" }, h("span", {}, "Total"), h("strong", { class: "total" }, money(first.total))),
      h("p", { class: "hint" }, `Ordered on ${day(first.created_at)}`),
      h("p", { class: "hint" }, "Order ", h("code", {}, first.id))));
}

/** The timeline only grows: what was told stays, and a screen reader hears what is new. */
function draw({ head, told, choice }, now, path) {
  redraw(head, status(now));
  told.append(...now.timeline.slice(told.children.length).map(entry));
  redraw(choice, story.CANCELLABLE.has(now.state) ? [cancelling(path, now)] : []);
}

/** The button that had the focus keeps it. */
function redraw(live, content) {
  const focused = live.contains(document.activeElement) && document.activeElement.localName;
  live.replaceChildren(...content);
  if (focused) live.querySelector(focused)?.focus();
}

/** Every event is a reason to look again: what is shown is always what the service says. */
async function watch(path, show, signal) {
  const done = new AbortController();
  const both = AbortSignal.any([signal, done.signal]);
  let looking = Promise.resolve();
  const look = async () => {
    const now = await get(path, { signal }).catch(() => null);
    if (!now || done.signal.aborted) return;
    show(now);
    if (!story.FINAL.has(now.state)) return;
    done.abort();
    await cart.reload().catch(() => null);
  };
  await follow(`${path}/events`, () => (looking = looking.then(look)), both);
}

function status(order) {
  const { text, tone, step } = story.state(order.state);
  const symbol = { going: "clock", asks: "lock", good: "check", bad: "cross" }[tone];
  return [
    h("header", { class: `status ${tone}` },
      h("span", { class: "badge" }, icon(symbol)),
      h("div", {}, h("h1", {}, text), h("p", { class: "state", "data-state": order.state }, order.state))),
    step > 0 && steps(step),
    story.reason(order) && h("p", { class: "notice" }, story.reason(order)),
    action(order),
  ].filter(Boolean);
}

function steps(reached) {
  return h("ol", { class: "steps", "aria-label": "Progress" }, story.STEPS.map((text, index) =>
    h("li", { class: index < reached || reached === 4 ? "done" : index === reached ? "now" : null, "aria-current": index === reached ? "step" : null }, text)));
}

function entry({ at, event, detail }) {
  const { text, symbol } = story.event(event);
  return h("li", {}, h("span", { class: "dot" }, icon(symbol)),
    h("div", {}, h("strong", {}, text), detail && h("small", {}, story.words(detail))),
    h("time", { datetime: at }, time(at)));
}

function action({ state, action_url: url }) {
  if (state !== "PAYMENT_ACTION" || !url || !/^https?:$/.test(new URL(url, location.href).protocol)) return null;
  return h("div", { class: "notice" },
    h("p", {}, "Your bank asks you to confirm this payment on its own page."),
    h("a", { class: "button", href: url, rel: "noopener" }, icon("lock"), "Go to the bank"));
}

function cancelling(path, order) {
  const button = h("button", { class: "button quiet", type: "button" }, "Cancel this order");
  const key = `cancel-${order.id}`;
  button.addEventListener("click", () => busy(button, async () => {
    try {
      await post(`${path}/cancel`, undefined, { key });
      toast("We are cancelling your order.");
    } catch (error) {
      toast(error.message);
    }
  }));
  return h("p", { class: "actions" }, button);
}

function mini(line, currency) {
  const amount = line.unit_price * line.quantity;
  return h("li", {},
    line.product && h("a", { class: "thumb", href: `/products/${encodeURIComponent(line.sku)}`, tabindex: "-1", "aria-hidden": "true" }, picture(line.product, 64)),
    h("span", {}, `${line.quantity} × ${line.title ?? line.sku}`),
    h("span", { class: "price" }, money({ amount, currency })));
}
