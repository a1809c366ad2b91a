// The shell: which page belongs to an address, and everything around the pages.

import { cart } from "./cart.js";
import { h, icon, prose, quiet } from "./dom.js";
import { session } from "./session.js";
import { account } from "./views/account.js";
import { basket } from "./views/cart.js";
import { checkout } from "./views/checkout.js";
import { home } from "./views/home.js";
import { ops } from "./views/ops.js";
import { order } from "./views/order.js";
import { orders } from "./views/orders.js";
import { detail } from "./views/product.js";

const ROUTES = [
  [/^\/$/, home],
  [/^\/products\/([^/]+)$/, detail],
  [/^\/cart$/, basket],
  [/^\/checkout$/, checkout, "signed-in"],
  [/^\/orders$/, orders, "signed-in"],
  [/^\/orders\/([^/]+)$/, order, "signed-in"],
  [/^\/account$/, account],
  [/^\/ops$/, ops, "signed-in"],
];

const main = document.getElementById("main");
const search = document.getElementById("q");
let leaving = new AbortController();

export function go(path, { replace = false, keepFocus = false } = {}) {
  history[replace ? "replaceState" : "pushState"](null, "", path);
  return show({ keepFocus });
}

function match(path) {
  for (const [pattern, view, guard] of ROUTES) {
    const found = pattern.exec(path);
    if (found) return { view, guard, parameters: found.slice(1).map(decodeURIComponent) };
  }
  return { view: missing, parameters: [] };
}

async function show({ keepFocus = false } = {}) {
  leaving.abort();
  leaving = new AbortController();
  const { signal } = leaving;
  const { view, guard, parameters } = match(location.pathname);
  if (guard && !session.user()) {
    return go(`/account?next=${encodeURIComponent(location.pathname)}`, { replace: true });
  }
  const query = new URLSearchParams(location.search);
  const waiting = setTimeout(() => (document.getElementById("progress").hidden = false), 120);
  main.setAttribute("aria-busy", "true");
  const page = await render(() => view({ parameters, query, signal, go, refresh: show }));
  clearTimeout(waiting);
  if (!signal.aborted) put(page, query, keepFocus);
}

async function render(view) {
  try {
    return await view();
  } catch (error) {
    return error.name === "AbortError" ? null : trouble(error);
  }
}

function put(page, query, keepFocus) {
  document.getElementById("progress").hidden = true;
  main.removeAttribute("aria-busy");
  main.replaceChildren(page);
  document.title = [main.querySelector("h1")?.textContent, "Alder & Ash"].filter(Boolean).join(" · ");
  if (document.activeElement !== search) search.value = query.get("q") || "";
  showYours();
  if (keepFocus) return;
  scrollTo(0, 0);
  main.focus({ preventScroll: true });
}

const missing = async () =>
  h("section", { class: "empty" },
    h("h1", {}, "Nothing on this shelf"),
    h("p", {}, "The page you asked for does not exist."),
    h("a", { class: "button", href: "/" }, "Back to the shop"));

function trouble(error) {
  if (error.status === 404) return h("section", { class: "empty" },
    h("h1", {}, "Not here"), h("p", {}, prose(error.message)), h("a", { class: "button", href: "/" }, "Back to the shop"));
  return h("section", { class: "empty", role: "alert" },
    h("h1", {}, "That did not work"),
    h("p", {}, prose(error.message)),
    h("button", { class: "button", type: "button", onclick: () => show() }, "Try again"));
}

function showYours() {
  const user = session.user();
  const count = cart.count();
  const links = [
    user?.scopes.includes("ops") && link("/ops", "clock", "Operations"),
    user && link("/orders", "list", "Orders"),
    link("/account", "user", user ? user.name.split(" ")[0] : "Sign in"),
    link("/cart", "bag", "Cart", count > 0 && h("span", { class: "count", "aria-label": `${count} in the cart` }, count)),
  ];
  document.getElementById("yours").replaceChildren(...links.filter(Boolean).map((node) => h("li", {}, node)));
}

function link(href, name, text, extra = null) {
  const here = location.pathname === href;
  return h("a", { href, "aria-current": here ? "page" : null }, icon(name), h("span", {}, text), extra);
}

function follows(event, anchor) {
  if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return false;
  return anchor && anchor.origin === location.origin && !anchor.target && !anchor.hash && match(anchor.pathname).view !== missing;
}

document.addEventListener("click", (event) => {
  const anchor = event.target.closest("a[href]");
  if (!follows(event, anchor)) return;
  event.preventDefault();
  quiet();
  go(anchor.pathname + anchor.search);
});

let typing;
function searchNow(keepFocus) {
  clearTimeout(typing);
  const q = search.value.trim();
  return go(q ? `/?q=${encodeURIComponent(q)}` : "/", { replace: location.pathname === "/", keepFocus });
}

search.addEventListener("input", () => {
  clearTimeout(typing);
  if (location.pathname === "/") typing = setTimeout(() => searchNow(true), 250);
});
search.form.addEventListener("submit", (event) => {
  event.preventDefault();
  searchNow(false);
});
search.form.querySelector("button").append(icon("search"));
addEventListener("popstate", () => show());
session.onchange(showYours);
cart.onchange(showYours);

await session.resume();
await cart.reload().catch(() => null);
await show();
