// Shows changes as the feed tells them. The page holds the newest already; the feed goes on from there.

const ROWS_MOST = 200;
const RETRY_MILLISECONDS = 3000;
const UNITS = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];
const LEVELS = [0.25, 0.5, 0.75, 0.9];

const find = (selector, within = document) => within.querySelector(selector);
const form = find("#filter");
const model = find("#model");

let table, body, state, pause, feed, place, retry;
let isPaused = false;
let isDue = false;
let asked = 0;
// By wiki and revision: what came and is not shown yet. It grows no longer than what is shown.
const waiting = new Map();

function begin() {
  table = find("#changes");
  if (!table) return;
  [body, state, pause] = [find("tbody", table), find("#state"), find("#pause")];
  place = table.dataset.place;
  waiting.clear();
  pause.hidden = false;
  tellPause();
  pause.addEventListener("click", () => {
    isPaused = !isPaused;
    tellPause();
    draw();
  });
  // Rows do not move below the pointer, nor away from the keyboard.
  body.addEventListener("pointerleave", draw);
  body.addEventListener("focusout", () => setTimeout(draw));
  connect();
}

function connect() {
  feed?.close();
  clearTimeout(retry);
  const address = new URL(table.dataset.feed, location);
  address.searchParams.set("last_event_id", place);
  feed = new EventSource(address);
  feed.addEventListener("open", () => tell("on", "Connected: changes appear as they are scored."));
  feed.addEventListener("error", () => {
    tell("off", "Disconnected: what is shown may be old. Trying again.");
    // After an answer that is no feed, a browser gives up by itself.
    if (feed.readyState === EventSource.CLOSED) retry = setTimeout(connect, RETRY_MILLISECONDS);
  });
  feed.addEventListener("score", (event) => heard(event, (told) => wait(told)));
  feed.addEventListener("withdrawn", (event) => heard(event, withdraw));
  feed.addEventListener("gap", () => load());
}

function heard(event, use) {
  place = event.lastEventId || place;
  use(JSON.parse(event.data));
}

function wait(told) {
  const key = `${told.wiki_id}/${told.rev_id}`;
  waiting.delete(key);
  waiting.set(key, told);
  if (waiting.size > ROWS_MOST) waiting.delete(waiting.keys().next().value);
  if (isDue) return;
  isDue = true;
  inFrame(draw);
}

function inFrame(use) {
  // A hidden window draws no frames.
  if (document.hidden) setTimeout(use);
  else requestAnimationFrame(use);
}

function withdraw(told) {
  const page = `${told.wiki_id}/${told.page_id}`;
  const key = told.rev_id === undefined ? null : `${told.wiki_id}/${told.rev_id}`;
  const isMeant = (each, its) => (key === null ? its === page : each === key);
  for (const [each, kept] of waiting) {
    if (isMeant(each, `${kept.wiki_id}/${kept.page_id}`)) waiting.delete(each);
  }
  for (const row of [...body.rows]) {
    if (isMeant(row.dataset.key, row.dataset.page)) row.remove();
  }
  tellPause();
}

function isHeld() {
  return isPaused || find("tbody:hover", table) !== null || body.contains(document.activeElement);
}

function draw() {
  isDue = false;
  if (!isHeld() && waiting.size) {
    for (const [key, told] of waiting) {
      find(`tr[data-key="${CSS.escape(key)}"]`, body)?.remove();
      body.prepend(row(key, told));
    }
    waiting.clear();
    while (body.rows.length > ROWS_MOST) body.rows[body.rows.length - 1].remove();
    find("#nothing").hidden = true;
  }
  tellPause();
}

function row(key, told) {
  const shown = find("#row").content.firstElementChild.cloneNode(true);
  const [revision, scores, wiki, page, namespace, saved, change] = shown.cells;
  const index = [...form.wiki.options].find((option) => option.value === told.wiki_id)?.dataset.index;
  shown.dataset.key = key;
  shown.dataset.page = `${told.wiki_id}/${told.page_id}`;
  link(find("a", revision), told.rev_id, `/revision/${encodeURIComponent(told.wiki_id)}/${told.rev_id}`);
  link(find("a", page), told.page_id, `/page/${encodeURIComponent(told.wiki_id)}/${told.page_id}`);
  wiki.textContent = told.wiki_id;
  namespace.textContent = `${told.namespace_id ?? ""}${told.is_bot ? " bot" : ""}`.trim();
  const time = find("time", saved);
  time.dateTime = `${told.rev_dt.slice(0, 19)}Z`;
  time.textContent = time.dateTime.replace("T", " ");
  find(".ago", saved).textContent = ago(time.dateTime);
  if (index) {
    const diff = change.appendChild(document.createElement("a"));
    link(diff, "diff", `${index}?diff=${told.rev_id}`);
    diff.rel = "noreferrer";
  }
  const first = table.dataset.model;
  const rank = (name) => (name === first ? "" : name);
  const names = Object.keys(told.scores).sort((one, other) => (rank(one) < rank(other) ? -1 : 1));
  scores.replaceChildren(...names.map((name) => score(name, told.scores[name])));
  return shown;
}

function link(anchor, text, address) {
  anchor.textContent = text;
  anchor.href = address;
}

function score(name, answer) {
  const shown = find("#score").content.firstElementChild.cloneNode(true);
  const [label, bar, number] = shown.children;
  const [told, probability] = headline(answer);
  label.textContent = label.title = `${name} ${told}`.trim();
  if (probability === null) {
    bar.remove();
    number.remove();
    shown.className = "score";
    return shown;
  }
  const isOfTrue = "true" in answer.probability;
  shown.className = isOfTrue ? `score p${LEVELS.filter((bound) => probability >= bound).length}` : "score";
  bar.lastElementChild.setAttribute("width", `${(100 * probability).toFixed(1)}%`);
  number.textContent = probability.toFixed(3);
  return shown;
}

function headline(answer) {
  if (answer.error) return [answer.error.code, null];
  const { prediction, probability } = answer;
  if ("true" in probability) return ["", probability.true];
  const said = [prediction].flat().filter((label) => label in probability);
  if (said.length) {
    const more = said.length > 3 ? ", …" : "";
    return [said.slice(0, 3).join(", ") + more, Math.max(...said.map((label) => probability[label]))];
  }
  const likeliest = Object.keys(probability).sort((one, other) => probability[other] - probability[one])[0];
  return likeliest === undefined ? ["none", null] : [`none, ${likeliest}`, probability[likeliest]];
}

function ago(text) {
  const seconds = (Date.now() - Date.parse(text)) / 1000;
  for (const [size, unit] of UNITS) {
    if (Math.abs(seconds) >= size) {
      const number = Math.floor(Math.abs(seconds) / size);
      return seconds > 0 ? `${number} ${unit} ago` : `in ${number} ${unit}`;
    }
  }
  return "now";
}

function tell(kind, text) {
  state.className = `state ${kind}`;
  if (state.textContent !== text) state.textContent = text;
}

function tellPause() {
  const held = waiting.size && isHeld() ? ` (${waiting.size} held back)` : "";
  pause.textContent = (isPaused ? "Resume" : "Pause") + held;
  pause.setAttribute("aria-pressed", isPaused);
}

// Asks for the page anew, by what the form says now, and takes the changes from it.
async function load() {
  const mine = ++asked;
  const address = `/live?${new URLSearchParams(new FormData(form))}`;
  history.replaceState(null, "", address);
  let status, text;
  try {
    const response = await fetch(address);
    [status, text] = [response.status, await response.text()];
  } catch {
    if (state) tell("off", "Disconnected: what is shown does not follow the form. Trying again.");
    if (mine === asked) setTimeout(() => mine === asked && load(), RETRY_MILLISECONDS);
    return;
  }
  if (mine !== asked) return;
  feed?.close();
  clearTimeout(retry);
  const fresh = new DOMParser().parseFromString(text, "text/html");
  const chosen = model.value;
  model.replaceChildren(...find("#model", fresh).children);
  if ([...model.options].some((option) => option.value === chosen)) model.value = chosen;
  find("#content").replaceWith(find("#content", fresh));
  begin();
  if (status === 503) setTimeout(() => mine === asked && load(), RETRY_MILLISECONDS);
}

form.at_least.addEventListener("input", () => {
  find("output", form).textContent = Number(form.at_least.value).toFixed(2);
});
form.addEventListener("change", load);
form.addEventListener("submit", (event) => {
  event.preventDefault();
  load();
});
setInterval(() => {
  for (const time of table?.querySelectorAll("tbody time") ?? []) {
    find(".ago", time.parentNode).textContent = ago(time.dateTime);
  }
}, 10000);
// What the page holds is painted before the feed is asked.
inFrame(() => setTimeout(begin));
