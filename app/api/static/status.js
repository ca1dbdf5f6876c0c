// Takes the numbers anew every few seconds, unless somebody reads or selects them by keyboard or mouse.

const EVERY_MILLISECONDS = 5000;

async function refresh() {
  const content = document.querySelector("#content");
  const isRead = content.contains(document.activeElement) || !getSelection().isCollapsed;
  if (document.hidden || isRead) return;
  try {
    const response = await fetch("/status");
    const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
    const next = fresh.querySelector("#content");
    if (!next) throw new Error("no status");
    next.querySelector("#state").textContent = "Refreshed every 5 s.";
    content.replaceWith(next);
  } catch {
    const state = content.querySelector("#state");
    state.className = "state off";
    state.textContent = "The process does not answer; these numbers are old. Trying again.";
  }
}

document.querySelector("#state").textContent = "Refreshed every 5 s.";
setInterval(refresh, EVERY_MILLISECONDS);
