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
  const notice = document.createElement("p");
  notice.className = "notice";
  notice.setAttribute("role", "alert");
  notice.textContent = "The shop could not be loaded. Check your connection, then reload this page.";
  document.getElementById("main").replaceChildren(notice);
}

try {
  await import("./app.js");
  sessionStorage.removeItem(TRIES);
} catch {
  again();
}
