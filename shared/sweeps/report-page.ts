/**
 * @file The report as one page: figures, failures, and a gallery with filters. Self-contained but for the pictures,
 * which are loaded from where the bucket has them when they come into view. Its script is report-script.ts.
 */
import type { TaskRecord } from "./records.ts";
import type { PointingShare, QuestionReport, Report, Share } from "./report-document.ts";
import { reportScript, reportStyle } from "./report-script.ts";
import type { Tally } from "./tally.ts";

/** Where the page finds an explanation's overlay, seen from its own place in the bucket. */
export const pictureTemplate = "../../explanations/{id}.overlay.png";

/** What the gallery shows of a task, by position, to keep the page small. */
type Row = readonly [
  key: string,
  question: number,
  result: string,
  outcome: string,
  topClass: string,
  probability: number,
  target: string,
  concentration: number | null,
  flat: 0 | 1,
  correct: 0 | 1 | null,
  label: string | null,
  hit: 0 | 1 | null,
  milliseconds: number,
];

export function reportPage(report: Report, tally: Pick<Tally, "gallery" | "failures">): string {
  const data = {
    questions: report.questions.map(({ question }) => questionText(question)),
    rows: tally.gallery.flatMap(rowOf),
    failures: tally.failures.map(({ key, line, question, code, why }) => [key, line ?? null, question, code, why]),
  };
  const shown = data.rows.length;
  const total = report.counts.succeeded + report.counts.skipped;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Sweep ${escaped(report.id)} – Backlight</title>
<style>${reportStyle}</style>
</head>
<body>
<a class="skip" href="#gallery">Skip to the gallery</a>
<header>
<h1>Sweep <code>${escaped(report.id)}</code></h1>
<p>${escaped(summaryOf(report))}</p>
${report.note === null ? "" : `<p class="note">${escaped(report.note)}</p>`}
</header>
<main>
${countsOf(report)}
${figures(report)}
${classTable(report)}
<section aria-labelledby="gallery-title" id="gallery" tabindex="-1">
<h2 id="gallery-title">Gallery</h2>
${shown < total ? `<p>The first ${shown} of ${total} results; all are in ${named(report.files.results)}.</p>` : ""}
<form id="filters" aria-label="Filters of the gallery">
<label>Image name <input id="f-key" type="search" autocomplete="off"></label>
<label>Predicted or own class <input id="f-class" type="search" list="classes" autocomplete="off"></label>
<datalist id="classes"></datalist>
${choice("Prediction", "f-correct", { "1": "right", "0": "wrong", none: "not known" })}
${choice("Pointing game", "f-hit", { "1": "hit", "0": "miss" })}
${choice("Map", "f-map", mapKinds)}
<label>Question <select id="f-question"></select></label>
${choice("Order", "f-order", orders, "as planned")}
<button type="reset">Show all</button>
</form>
<p id="count" role="status" aria-live="polite"></p>
<ul id="cards"></ul>
<p><button id="more" type="button">Show more</button></p>
</section>
<section aria-labelledby="failures-title">
<h2 id="failures-title">Failures</h2>
<p id="failure-count">${failuresText(report, tally.failures.length)}</p>
<div class="scroll" tabindex="0" role="region" aria-labelledby="failures-title"><table id="failures">
<thead><tr><th scope="col">Image</th><th scope="col">Code</th><th scope="col">Why</th></tr></thead><tbody></tbody>
</table></div>
</section>
</main>
<dialog id="item" aria-labelledby="item-title">
<div class="bar"><h2 id="item-title"></h2>
<button type="button" id="previous" aria-label="Previous">←</button>
<button type="button" id="next" aria-label="Next">→</button>
<button type="button" id="close">Close</button></div>
<div class="pair"><img id="item-picture" alt=""><dl id="item-facts"></dl></div>
</dialog>
<script type="application/json" id="data" data-picture="${pictureTemplate}">${embedded(data)}</script>
<script>${reportScript}</script>
</body>
</html>
`;
}

const mapKinds = {
  focused: "focused: over 60 % in its peak tenth",
  medium: "between",
  diffuse: "diffuse: under 30 %",
  flat: "flat",
};
const orders = { unsure: "least sure first", diffuse: "most diffuse first", focused: "most focused first" };

function choice(label: string, id: string, options: Readonly<Record<string, string>>, first = "all"): string {
  const rest = Object.entries(options).map(([value, text]) => `<option value="${value}">${text}</option>`);
  return `<label>${label} <select id="${id}"><option value="">${first}</option>${rest.join("")}</select></label>`;
}

const named = (files: readonly string[]): string => files.map(escaped).join(", ");

function rowOf(task: TaskRecord): readonly Row[] {
  const { summary: s, id } = task;
  if (s === undefined || id === undefined) return [];
  const bit = (value: boolean | undefined): 0 | 1 | null => (value === undefined ? null : value ? 1 : 0);
  return [
    [
      task.key,
      task.question,
      id.slice(task.key.length + 1), // an id is the key, "/" and a digest: the key once is enough
      task.outcome,
      s.top.name,
      rounded(s.top.probability),
      s.target.name,
      s.concentration === null ? null : rounded(s.concentration),
      s.flat ? 1 : 0,
      bit(s.correct),
      s.label ?? null,
      bit(s.pointing?.hit),
      Math.round(s.milliseconds),
    ],
  ];
}

const rounded = (value: number): number => Number(value.toFixed(3));

const questionText = ({
  method = "norm-grad-selective",
  layers = "auto",
  target,
}: QuestionReport["question"]): string => `${method}, ${layers}, ${target}`;

function summaryOf({ state, model, createdAt, writtenAt, planned }: Report): string {
  const work = planned === null ? "not planned" : `${planned.items} images, ${planned.tasks} explanations planned`;
  const at = (time: string): string => `${time.slice(0, 19)}Z`;
  return `${state}; model ${model.name}; ${work}; begun ${at(createdAt)}, written ${at(writtenAt)}`;
}

function countsOf({ counts }: Report): string {
  const cells = Object.entries(counts).map(([name, n]) => `<div><dt>${name}</dt><dd>${n}</dd></div>`);
  return `<dl class="counts">${cells.join("")}</dl>`;
}

const percent = (value: number | null): string => (value === null ? "–" : `${(100 * value).toFixed(1)} %`);
function shareText(share: Share | PointingShare | null): string {
  if (share === null || share.value === null) return "–";
  const { value, hits, trials, interval } = share;
  return `${percent(value)} <small>(${hits}/${trials}, ${percent(interval.low)} to ${percent(interval.high)})</small>`;
}
const milliseconds = (value: number | null): string => (value === null ? "–" : `${value} ms`);

function figures({ questions }: Report): string {
  const rows = questions.map((q) =>
    [
      `<th scope="row">${escaped(questionText(q.question))}</th>`,
      `<td>${q.counts.succeeded + q.counts.skipped}</td>`,
      `<td>${milliseconds(q.milliseconds.p50)}</td><td>${milliseconds(q.milliseconds.p95)}</td>`,
      `<td>${percent(q.concentration)}</td><td>${q.flat}</td>`,
      `<td>${shareText(q.accuracy)}</td>`,
      `<td>${shareText(q.pointing?.all ?? null)}</td><td>${percent(q.pointing?.all.classMean ?? null)}</td>`,
      `<td>${shareText(q.pointing?.difficult ?? null)}</td>`,
      `<td>${q.sensitivity?.mean?.toFixed(3) ?? "–"}</td>`,
    ].join(""),
  );
  const head = [
    ...["Method, layers, target", "Results", "Median", "95th percentile", "In the peak tenth", "Flat", "Accuracy"],
    ...["Pointing game", "Class mean", "Difficult", "Class sensitivity ρ"],
  ].map((text) => `<th scope="col">${text}</th>`);
  return `<section aria-labelledby="figures-title"><h2 id="figures-title">Figures</h2>
<div class="scroll" tabindex="0" role="region" aria-labelledby="figures-title"><table>
<thead><tr>${head.join("")}</tr></thead>
<tbody>${rows.map((r) => `<tr>${r}</tr>`).join("\n")}</tbody></table></div></section>`;
}

/** Bars shown; the rest is in report.json. */
const barsMax = 20;

function classTable({ classes }: Report): string {
  if (classes.length === 0) return "";
  const most = classes[0]?.images ?? 1;
  const rows = classes.slice(0, barsMax).map(({ name, images }) => {
    const bar = `<span style="width:${((100 * images) / most).toFixed(1)}%"></span>`;
    const cells = `<td>${images}</td><td class="bar-cell" aria-hidden="true">${bar}</td>`;
    return `<tr><th scope="row">${escaped(name)}</th>${cells}</tr>`;
  });
  const rest = classes.length > barsMax ? `<p>${classes.length - barsMax} further classes are in report.json.</p>` : "";
  return `<section aria-labelledby="classes-title"><h2 id="classes-title">Predicted classes</h2>
<table class="bars"><thead><tr><th scope="col">Class</th><th scope="col">Images</th><td></td></tr></thead>
<tbody>${rows.join("")}</tbody></table>${rest}</section>`;
}

function failuresText({ counts, files }: Report, shown: number): string {
  if (counts.failed === 0) return "None.";
  return counts.failed === shown
    ? `${shown} failed.`
    : `${shown} of ${counts.failed}; all are in ${named(files.failures)}.`;
}

const escaped = (text: string): string => text.replace(/[&<>"']/g, (c) => `&#${c.codePointAt(0)};`);

/** JSON inside a script element: nothing in it may look like its end. */
const embedded = (data: unknown): string => JSON.stringify(data).replaceAll("<", "\\u003c");

/** A report's page as it is served by the API: its pictures come from there too. */
export const servedPage = (html: string): string =>
  html.replace(`data-picture="${pictureTemplate}"`, 'data-picture="/v1/explanations/{id}/overlay"');
