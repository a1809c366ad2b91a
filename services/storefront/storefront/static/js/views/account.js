// Sign in, register, and the customer's own page.

import { cart } from "../cart.js";
import { busy, field, h, icon, toast } from "../dom.js";
import { session } from "../session.js";

export async function account({ query, go, refresh }) {
  const next = inside(query.get("next"));
  if (session.user()) return profile(go, refresh);
  const enter = async (work) => {
    await work();
    await cart.adopt().catch((error) => toast(error.message));
    await go(next, { replace: true });
  };
  return h("div", { class: "narrow" },
    h("h1", {}, next === "/checkout" ? "Who is it for?" : "Welcome"),
    next === "/checkout" && h("p", { class: "lead" }, "Sign in or register, and you go straight on to the checkout. Your cart comes along."),
    h("div", { class: "doors" }, signIn(enter), register(enter)));
}

/** Only a path of this site: anything else in the address is ignored. */
function inside(next) {
  return next && /^\/(?![/\\])/.test(next) ? next : "/";
}

function form(heading, fields, label, submit, look = "") {
  const error = h("p", { class: "error", role: "alert", hidden: true });
  const button = h("button", { class: `button wide ${look}`, type: "submit" }, label);
  const node = h("form", { class: "panel", novalidate: false }, h("h2", {}, heading), fields.map((one) => one.node), error, button);
  node.addEventListener("submit", (event) => {
    event.preventDefault();
    error.hidden = true;
    busy(button, () => submit().catch((problem) => {
      error.textContent = explain(problem);
      error.hidden = false;
    }));
  });
  return node;
}

function explain(problem) {
  if (problem.status === 429) return `Too many tries. Please wait ${Math.max(1, Math.ceil((problem.retryAfter || 60) / 60))} min and try again.`;
  return problem.message;
}

function signIn(enter) {
  const email = field("Email", { type: "email", name: "email", autocomplete: "username", required: true });
  const password = field("Password", { type: "password", name: "password", autocomplete: "current-password", required: true });
  return form("Sign in", [email, password], "Sign in", () => enter(() => session.signIn(email.input.value, password.input.value)));
}

function register(enter) {
  const name = field("Your name", { type: "text", name: "name", autocomplete: "name", required: true, maxlength: 100 });
  const email = field("Email", { type: "email", name: "email", autocomplete: "email", required: true, maxlength: 254 });
  const password = field("Password", { type: "password", name: "password", autocomplete: "new-password", required: true, minlength: 10, maxlength: 128 }, "At least 10 characters; a sentence is fine.");
  return form("New here", [name, email, password], "Create account", () =>
    enter(() => session.register(name.input.value, email.input.value, password.input.value)));
}

function profile(go, refresh) {
  const user = session.user();
  const leave = (everywhere) => async (event) => busy(event.currentTarget, async () => {
    await session.signOut(everywhere);
    await cart.reload();
    await go("/");
  });
  return h("div", { class: "narrow" },
    h("h1", {}, `Hello, ${user.name.split(" ")[0]}`),
    h("p", { class: "lead" }, `You are signed in as ${user.email}.`),
    h("p", { class: "actions" },
      h("a", { class: "button quiet", href: "/orders" }, icon("list"), "Your orders"),
      h("button", { class: "button quiet", type: "button", onclick: leave(false) }, "Sign out"),
      h("button", { class: "textlink", type: "button", onclick: leave(true) }, "Sign out on all devices")),
    h("div", { class: "doors" }, rename(user, refresh), changePassword(), deletion(go)));
}

function rename(user, refresh) {
  const name = field("Your name", { type: "text", autocomplete: "name", required: true, maxlength: 100, value: user.name });
  return form("Your name", [name], "Save", async () => {
    await session.rename(name.input.value);
    toast("Saved.");
    await refresh();
  });
}

function deletion(go) {
  const sure = h("input", { type: "checkbox", id: "sure", required: true });
  const agreed = { node: h("p", { class: "field check" }, sure, h("label", { for: "sure" }, "Delete my account, my cards and my name on past orders.")) };
  return form("Leave us", [agreed], "Delete account", async () => {
    await session.deleteAccount();
    await cart.reload();
    await go("/");
    toast("Your account is being deleted. Open orders are finished first.");
  }, "danger");
}

function changePassword() {
  const current = field("Current password", { type: "password", autocomplete: "current-password", required: true });
  const next = field("New password", { type: "password", autocomplete: "new-password", required: true, minlength: 10, maxlength: 128 }, "All other devices are signed out.");
  return form("Password", [current, next], "Change password", async () => {
    await session.changePassword(current.input.value, next.input.value);
    current.input.value = next.input.value = "";
    toast("Your password is changed.");
  });
}
