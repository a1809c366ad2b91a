// Builds DOM nodes. Text always becomes a text node, so nothing a server sends can become markup.

const SVG = "http://www.w3.org/2000/svg";

export function h(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) set(node, name, value);
  node.append(...children.flat(3).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

function set(node, name, value) {
  if (value === null || value === undefined || value === false) return;
  if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
  else if (name === "value") node.value = value;
  else node.setAttribute(name, value === true ? "" : value);
}

const ICONS = {
  bag: ["M6 8h12l1 12H5L6 8z", "M9 10V7a3 3 0 0 1 6 0v3"],
  user: ["M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8z", "M4 21c1-4 4-6 8-6s7 2 8 6"],
  search: ["M11 18a7 7 0 1 0 0-14 7 7 0 0 0 0 14z", "m16 16 5 5"],
  check: ["m5 13 4 4L19 7"],
  cross: ["M6 6l12 12M18 6 6 18"],
  clock: ["M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18z", "M12 7v5l3 2"],
  card: ["M3 6h18v12H3z", "M3 10h18M7 15h4"],
  box: ["m12 3 8 4v10l-8 4-8-4V7z", "m4 7 8 4 8-4M12 11v10"],
  back: ["m14 6-6 6 6 6"],
  next: ["m10 6 6 6-6 6"],
  list: ["M6 4h12v17l-3-2-3 2-3-2-3 2z", "M9 9h6M9 13h6"],
  undo: ["M9 14 4 9l5-5", "M4 9h9a6 6 0 0 1 0 12h-3"],
  lock: ["M6 11h12v9H6z", "M9 11V8a3 3 0 0 1 6 0v3"],
};

export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  for (const [key, value] of [["viewBox", "0 0 24 24"], ["class", "icon"], ["aria-hidden", "true"]]) {
    svg.setAttribute(key, value);
  }
  for (const d of ICONS[name]) {
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("d", d);
    svg.append(path);
  }
  return svg;
}

let lastId = 0;

/** A labelled input; the label is always visible, the hint is read with the field. */
export function field(label, attributes, hint = null) {
  const id = `field-${++lastId}`;
  const note = hint && h("span", { class: "hint", id: `${id}-hint` }, hint);
  const input = h("input", { id, "aria-describedby": note && note.id, ...attributes });
  return { input, node: h("div", { class: "field" }, h("label", { for: id }, label), input, note) };
}

/** Quantity with two buttons; `onchange` hears every accepted value. */
export function stepper(label, value, onchange, max = 99) {
  const input = h("input", {
    type: "number", min: 1, max, inputmode: "numeric", "aria-label": label, value,
    onchange: () => accept(Number(input.value)),
  });
  const less = h("button", { type: "button", "aria-label": `${label}: one less`, onclick: () => accept(Number(input.value) - 1) }, "−");
  const more = h("button", { type: "button", "aria-label": `${label}: one more`, onclick: () => accept(Number(input.value) + 1) }, "+");
  function show(quantity) {
    input.value = quantity;
    less.disabled = quantity <= 1;
    more.disabled = quantity >= max;
  }
  function accept(wanted) {
    const quantity = Math.min(max, Math.max(1, Math.trunc(wanted) || 1));
    show(quantity);
    onchange(quantity);
  }
  show(value);
  return h("div", { class: "stepper", role: "group", "aria-label": label }, less, input, more);
}

/** What stands between backticks is code; the services' own words are written like that. */
export const prose = (text) => text.split("`").map((part, index) => (index % 2 ? h("code", {}, part) : part));

let toastTimer;

/** A short message that screen readers hear too. */
export function toast(...content) {
  const bar = document.getElementById("toast");
  bar.replaceChildren(...content.flatMap((one) => (typeof one === "string" ? prose(one) : one)));
  bar.hidden = false;
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => (bar.hidden = true), 5000);
}

export const quiet = () => (document.getElementById("toast").hidden = true);

/** Runs the work of a button once at a time and shows that it runs. */
export async function busy(button, work) {
  if (button.getAttribute("aria-busy") === "true") return;
  button.setAttribute("aria-busy", "true");
  button.disabled = true;
  try {
    await work();
  } finally {
    button.removeAttribute("aria-busy");
    button.disabled = false;
  }
}
