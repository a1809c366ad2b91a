// Starts the shop. A network that changed in the middle leaves scripts missing: then the page loads once more.

const TRIES = "boot-tries";
const MOST = 3;

function again() {
  const tries = Number(sessionStorage.getItem(TRIES)) + 1;
  sessionStorage.setItem(TRIES, tries);
  if (tries <= MOST) setTimeout(() => location.reload(), tries * 400);
  else giveUp();
}

function giveUp() {
  sessionStorage.removeItem(TRIES);
  const notice = document.createElement("section");
  notice.className = "empty";
  notice.setAttribute("role", "alert");
  notice.append(element("h1", "The shop could not be loaded"), element("p", "Check your connection, then reload this page."));
  document.getElementById("main").replaceChildren(notice);
}

function element(tag, text) {
  const made = document.createElement(tag);
  made.textContent = text;
  return made;
}

try {
  await import("./app.js");
  sessionStorage.removeItem(TRIES);
} catch {
  again();
}
