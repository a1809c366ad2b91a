// The shop window: categories, search, sorting and all products.

import { h, icon } from "../dom.js";
import { title } from "../format.js";
import { card, picture, products } from "../products.js";

const SORTS = [["", "Name"], ["price", "Price, lowest first"], ["-price", "Price, highest first"]];
const PAGE = 24;

let known = [];

export async function home({ query, signal, go }) {
  const wanted = selection(query);
  const [page, all] = await Promise.all([products({ ...wanted, limit: PAGE }, signal), categories(signal)]);
  const grid = h("ul", { class: "grid" }, page.items.map((item, index) => card(item, index > 7)));
  return h("div", {},
    bare(wanted) && page.items.length > 0 && hero(page.items),
    h("section", { class: "shelf", "aria-labelledby": "shelf" },
      toolbar(wanted, all, go),
      page.items.length ? grid : nothing(wanted),
      more(grid, wanted, page.next_cursor)));
}

function selection(query) {
  const wanted = {};
  for (const name of ["q", "category", "sort"]) if (query.get(name)) wanted[name] = query.get(name);
  return wanted;
}

const bare = ({ q, category }) => !q && !category;

/** In the order in which the catalog shows them; remembered while the page lives. */
async function categories(signal) {
  if (!known.length) {
    const { items } = await products({ limit: 100 }, signal);
    known = [...new Set(items.map((item) => item.category))];
  }
  return known;
}

function hero(items) {
  const shown = items.find((item) => item.sku === "dome-lamp") || items[0];
  return h("section", { class: "hero" },
    h("div", {},
      h("p", { class: "eyebrow" }, "Alder & Ash, a small shop for the home"),
      h("h1", {}, "Good things, made to be used for years."),
      h("p", { class: "lead" }, "Stoneware that warms the hand, lamps that soften the evening, paper that takes ink well. Few pieces, chosen with care."),
      h("p", { class: "actions" },
        h("a", { class: "button light", href: `/products/${encodeURIComponent(shown.sku)}` }, `Meet the ${shown.title}`, icon("next")))),
    h("a", { class: "stage", href: `/products/${encodeURIComponent(shown.sku)}`, tabindex: "-1", "aria-hidden": "true" }, picture(shown, 600, false)));
}

function toolbar(wanted, all, go) {
  return h("div", { class: "toolbar" },
    h(bare(wanted) ? "h2" : "h1", { id: "shelf" }, heading(wanted)),
    h("nav", { class: "chips", "aria-label": "Categories" }, chip("All", {}, wanted, !wanted.category),
      all.map((category) => chip(title(category), { category }, wanted, wanted.category === category))),
    sorting(wanted, go));
}

function heading({ q, category }) {
  if (q) return `Results for “${q}”`;
  return category ? title(category) : "Everything in the shop";
}

function chip(text, change, wanted, current) {
  const { sort, q } = wanted;
  const target = new URLSearchParams({ ...(q && { q }), ...change, ...(sort && { sort }) });
  return h("a", { href: `/?${target}`.replace(/\?$/, ""), class: "chip", "aria-current": current ? "true" : null }, text);
}

function sorting(wanted, go) {
  const select = h("select", { id: "sort" },
    SORTS.map(([value, text]) => h("option", { value, selected: (wanted.sort || "") === value }, text)));
  select.addEventListener("change", () => {
    const { sort: _, ...rest } = wanted;
    go(`/?${new URLSearchParams({ ...rest, ...(select.value && { sort: select.value }) })}`, { keepFocus: true });
  });
  return h("p", { class: "sort" }, h("label", { for: "sort" }, "Sort by"), select);
}

const nothing = ({ q }) =>
  h("div", { class: "empty small" },
    h("p", {}, q ? `Nothing matches “${q}”. Try a shorter word, or look through everything.` : "Nothing here yet."),
    h("a", { class: "button quiet", href: "/" }, "Show everything"));

function more(grid, wanted, cursor) {
  if (!cursor) return null;
  const button = h("button", { class: "button quiet", type: "button" }, "Show more");
  const holder = h("p", { class: "more" }, button);
  button.addEventListener("click", async () => {
    const page = await products({ ...wanted, limit: PAGE, cursor });
    grid.append(...page.items.map((item) => card(item)));
    holder.replaceWith(more(grid, wanted, page.next_cursor) || "");
  });
  return holder;
}
