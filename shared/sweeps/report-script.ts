/** @file The style and the script of the report's page, as text: the page works from a file, without a server. */

export const reportStyle = `
:root { color-scheme: light dark; --line: #8884; --soft: #8881; --accent: #2a6f97; }
@media (prefers-color-scheme: dark) { :root { --accent: #7fc4e8; } }
body { font: 16px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 80rem; padding: 1rem; }
h1 { font-size: 1.5rem; margin: 0; } h2 { font-size: 1.2rem; margin: 2rem 0 .5rem; }
.skip { position: absolute; left: -100rem; } .skip:focus { position: static; }
.note { border-left: 4px solid #c77700; padding-left: .75rem; }
.counts { display: flex; flex-wrap: wrap; gap: 1.5rem; }
.counts dt { opacity: .75; }
.counts dd { font-size: 1.6rem; margin: 0; font-variant-numeric: tabular-nums; }
table { border-collapse: collapse; }
th, td {
  border-bottom: 1px solid var(--line); padding: .25rem .75rem .25rem 0; text-align: left;
  vertical-align: top; font-variant-numeric: tabular-nums;
}
th[scope=row] { font-weight: normal; } .scroll { overflow-x: auto; max-height: 30rem; }
.bars { width: 100%; max-width: 50rem; }
.bar-cell { width: 50%; }
.bar-cell span { display: block; height: .8rem; margin-top: .35rem; background: var(--accent); }
form { display: flex; flex-wrap: wrap; gap: .75rem; align-items: end; }
label { display: grid; font-size: .85rem; gap: .15rem; }
input, select, button { font: inherit; padding: .3rem .5rem; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
#cards {
  display: grid; grid-template-columns: repeat(auto-fill, minmax(10rem, 1fr)); gap: .75rem; list-style: none;
  padding: 0;
}
#cards button {
  width: 100%; height: 100%; padding: 0; border: 1px solid var(--line); background: var(--soft);
  color: inherit; text-align: left; cursor: pointer;
}
#cards img {
  width: 100%; aspect-ratio: 1; object-fit: contain; display: block; background: var(--soft);
  font-size: .75rem;
}
#cards span { display: block; padding: .3rem .5rem; font-size: .85rem; overflow-wrap: anywhere; }
.wrong { border-left: 4px solid #c0392b !important; } .right { border-left: 4px solid #2e8b57 !important; }
dialog { width: min(70rem, 95vw); max-height: 92vh; border: 1px solid var(--line); }
.bar { display: flex; gap: .5rem; align-items: center; }
.bar h2 { flex: 1; margin: 0; overflow-wrap: anywhere; font-size: 1rem; }
.pair { display: flex; flex-wrap: wrap; gap: 1rem; margin-top: 1rem; }
.pair img { flex: 2 1 20rem; min-width: 0; max-width: 100%; max-height: 70vh; object-fit: contain; }
dl { margin: 0; }
.pair dl { flex: 1 1 14rem; }
.pair dt { opacity: .75; font-size: .85rem; }
.pair dd { margin: 0 0 .4rem; overflow-wrap: anywhere; }
`;

export const reportScript = `
"use strict";
const holder = document.getElementById("data");
const { questions, rows, failures } = JSON.parse(holder.textContent);
const template = holder.dataset.picture;
const fields = ["key", "question", "result", "outcome", "top", "probability", "target", "concentration", "flat",
  "correct", "label", "hit", "milliseconds"];
const items = rows.map((row) => Object.fromEntries(fields.map((field, i) => [field, row[i]])));
const $ = (id) => document.getElementById(id);
const pageSize = 60;
let found = items, shown = 0, open = -1;

const idOf = (item) => item.key + "/" + item.result;
const pictureOf = (item) => template.replace("{id}", idOf(item).split("/").map(encodeURIComponent).join("/"));
const percent = (value) => (value === null ? "not known" : (100 * value).toFixed(1) + "\\u00a0%");
const verdict = (item) => (item.correct === null ? "" : item.correct ? "right" : "wrong");
const describe = (item) => item.key + ": " + item.top + ", " + percent(item.probability) +
  (verdict(item) && ", " + verdict(item)) +
  (item.hit === null ? "" : item.hit ? ", map hits the object" : ", map misses the object") +
  (item.flat ? ", flat map" : "");

const mapKinds = {
  focused: (item) => !item.flat && item.concentration > 0.6,
  medium: (item) => !item.flat && item.concentration !== null && item.concentration >= 0.3 && item.concentration <= 0.6,
  diffuse: (item) => !item.flat && item.concentration !== null && item.concentration < 0.3,
  flat: (item) => item.flat === 1,
};
const orders = {
  unsure: (a, b) => a.probability - b.probability,
  diffuse: (a, b) => (a.concentration ?? 2) - (b.concentration ?? 2),
  focused: (a, b) => (b.concentration ?? -1) - (a.concentration ?? -1),
};

function filter() {
  const [key, name] = ["f-key", "f-class"].map((id) => $(id).value.trim().toLowerCase());
  const [correct, hit, map, question] = ["f-correct", "f-hit", "f-map", "f-question"].map((id) => $(id).value);
  found = items.filter((item) =>
    (!key || item.key.toLowerCase().includes(key)) &&
    (!name || item.top.toLowerCase().includes(name) || (item.label ?? "").toLowerCase() === name) &&
    (!correct || (correct === "none" ? item.correct === null : item.correct === Number(correct))) &&
    (!hit || item.hit === Number(hit)) && (!map || mapKinds[map](item)) &&
    (question === "" || item.question === Number(question)));
  const order = orders[$("f-order").value];
  if (order) found = [...found].sort(order);
  shown = 0;
  $("cards").replaceChildren();
  more();
}

function more() {
  const next = found.slice(shown, shown + pageSize);
  $("cards").append(...next.map((item, i) => card(item, shown + i)));
  shown += next.length;
  $("more").hidden = shown >= found.length;
  $("count").textContent = found.length + " of " + items.length + " results match; " + shown + " are shown.";
}

function card(item, index) {
  const [entry, button, picture] = ["li", "button", "img"].map((name) => document.createElement(name));
  button.type = "button";
  button.className = verdict(item);
  button.setAttribute("aria-label", describe(item));
  picture.loading = "lazy";
  picture.decoding = "async";
  picture.alt = "";
  picture.src = pictureOf(item);
  const text = document.createElement("span");
  text.textContent = item.top + " " + percent(item.probability) + (verdict(item) && " · " + verdict(item));
  button.append(picture, text);
  button.addEventListener("click", () => show(index));
  entry.append(button);
  return entry;
}

function show(index) {
  const item = found[index];
  if (!item) return;
  open = index;
  $("item-title").textContent = item.key;
  $("item-picture").src = pictureOf(item);
  $("item-picture").alt = "The map over " + describe(item);
  const facts = {
    "Predicted": item.top + ", " + percent(item.probability),
    "Explained": item.target, "Own class": item.label, "Prediction": verdict(item),
    "Pointing game": item.hit === null ? null : item.hit ? "hit" : "miss",
    "In the map's peak tenth": item.flat ? "flat map" : percent(item.concentration),
    "Question": questions[item.question], "Outcome": item.outcome, "Time": item.milliseconds + " ms",
    "Explanation": idOf(item),
  };
  const known = Object.entries(facts).filter(([, value]) => value);
  $("item-facts").replaceChildren(...known.flatMap(([name, value]) => {
    const [term, fact] = ["dt", "dd"].map((tag) => document.createElement(tag));
    term.textContent = name;
    fact.textContent = value;
    return [term, fact];
  }));
  $("previous").disabled = index === 0;
  $("next").disabled = index === found.length - 1;
  if (!$("item").open) $("item").showModal();
}

function step(by) {
  const index = open + by;
  if (index < 0 || index >= found.length) return;
  while (index >= shown) more();
  show(index);
}

$("item").addEventListener("keydown", (event) => {
  if (event.key === "ArrowLeft") step(-1);
  if (event.key === "ArrowRight") step(1);
});
$("item").addEventListener("close", () => $("cards").children[open]?.firstElementChild?.focus());
$("previous").addEventListener("click", () => step(-1));
$("next").addEventListener("click", () => step(1));
$("close").addEventListener("click", () => $("item").close());
$("more").addEventListener("click", () => {
  const first = shown;
  more();
  $("cards").children[first]?.firstElementChild?.focus();
});
$("filters").addEventListener("input", filter);
$("filters").addEventListener("submit", (event) => event.preventDefault());
$("filters").addEventListener("reset", () => setTimeout(filter));
$("f-question").append(new Option("all", ""), ...questions.map((text, i) => new Option(text, String(i))));
const names = new Set(items.flatMap((item) => [item.top, ...(item.label === null ? [] : [item.label])]));
$("classes").append(...[...names].sort().slice(0, 1000).map((name) => new Option(name, name)));
$("failures").tBodies[0].append(...failures.map(([key, line, , code, why]) => {
  const row = document.createElement("tr");
  for (const text of [key || "line " + line, code, why]) row.insertCell().textContent = text;
  return row;
}));
filter();
`;
