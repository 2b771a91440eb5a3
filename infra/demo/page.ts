/** @file The demo's HTML page: one file, no script, nothing loaded from elsewhere. Explains nothing itself. */
import { readFileSync } from "node:fs";
import { type ColourMapName, colourTable } from "../../shared/imaging/colour.ts";
import { encodeImage } from "../../shared/imaging/encode.ts";
import type { Raster } from "../../shared/imaging/image.ts";
import { nodeCodecs } from "../../shared/runtime/node-codecs.ts";
import { classes } from "./classes.ts";
import type { ClassMap, ExplainedScene, MethodMaps, Tile } from "./explain-scenes.ts";
import { methods, namedFrom } from "./showcase.ts";

export interface PageContent {
  readonly model: { readonly name: string; readonly size: string; readonly sha256: string };
  readonly runtime: string;
  /** What it took, in words. */
  readonly took: string;
  readonly scenes: readonly ExplainedScene[];
  readonly comparisons: readonly MethodMaps[];
  /** Names of the layers, shallow to deep. */
  readonly layers: readonly string[];
  /** The line of a shell that explains a scene again. */
  readonly command: string;
}

/** Of 100: pictures for a page; the PNG files beside it are exact. */
const quality = 82;
/** Classes whose probability is listed. */
const listed = 4;

const escapes: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };
const escaped = (text: string): string => text.replace(/[&<>"]/g, (c) => escapes[c] ?? c);
const percent = (part: number): string => `${(part * 100).toFixed(part >= 0.1 ? 0 : 1)} %`;
const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
const nameOf = (classIndex: number): string => classes[classIndex]?.name ?? `class ${classIndex}`;
const listOf = (names: readonly string[]): string =>
  names.length < 2 ? names.join("") : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;

/** Gives each picture as a data URI. */
type Embedded = (picture: Raster) => string;

async function embed(pictures: readonly Raster[]): Promise<Embedded> {
  const found = new Map<Raster, string>();
  for (const picture of pictures) {
    const bytes = await encodeImage(picture, "webp", nodeCodecs(), quality);
    found.set(picture, `data:image/webp;base64,${Buffer.from(bytes).toString("base64")}`);
  }
  return (picture) => found.get(picture) ?? "";
}

/** The page's whole text. */
export async function pageOf(content: PageContent): Promise<string> {
  const { scenes, comparisons } = content;
  const uri = await embed([
    ...scenes.flatMap(({ picture, maps }) => [picture, ...maps.map((map) => map.picture)]),
    ...comparisons.flatMap(({ rows }) => rows.flatMap(({ tiles }) => tiles.map(({ picture }) => picture))),
  ]);
  const style = readFileSync(new URL("page.css", import.meta.url), "utf8");
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Backlight: why did the model say that?</title>
<style>
${style}
.scale.unsigned { background: ${gradient("viridis")}; }
.scale.signed { background: ${gradient("diverging")}; }
</style>
</head>
<body>
${header(content)}
<main>
${scenesSection(scenes, uri)}
${methodsSection(content, uri)}
${layersSection(content, uri)}
${nextSection(content)}
</main>
${footer(content)}
</body>
</html>
`;
}

/** A colour map as CSS: nine stops show no difference from its 256 colours. */
function gradient(name: ColourMapName): string {
  const table = colourTable(name);
  const stops = Array.from({ length: 9 }, (_, i) => {
    const at = Math.round((i * 255) / 8) * 3;
    return `rgb(${table.subarray(at, at + 3).join(" ")})`;
  });
  return `linear-gradient(to right, ${stops.join(", ")})`;
}

function header({ model, scenes }: PageContent): string {
  const maps = scenes.flatMap((scene) => scene.maps).filter(({ onObject }) => onObject !== null);
  const hits = maps.filter(({ onObject }) => onObject === true).length;
  return `<header>
<p class="brand">Backlight</p>
<h1>Why did the model say that?</h1>
<p class="lead">A small classifier looked at ${scenes.length} pictures it had never seen and named what is in them.
For each thing it named, the map shows <strong>where in the picture that answer comes from</strong>.</p>
<dl class="facts">
<div><dt>Model</dt><dd>${escaped(model.name)}, ${model.size}</dd></div>
<div><dt>Knows</dt><dd>${classes.length} everyday things</dd></div>
<div><dt>Brightest point on the thing named</dt><dd>${hits} of ${maps.length} maps</dd></div>
</dl>
</header>`;
}

function scenesSection(scenes: readonly ExplainedScene[], uri: Embedded): string {
  return `<section aria-labelledby="scenes">
<h2 id="scenes">What it saw, and where</h2>
<p>Each picture comes with the model's answer: every class has a probability of its own, so several may be high.
Beside it, one map for each class it named, over the picture in grey. The ring marks the map's largest value.</p>
<p class="legend"><span>says nothing for it</span><span class="scale unsigned"></span>
<span>speaks most for it</span></p>
${scenes.map((scene, i) => sceneArticle(scene, i, uri)).join("\n")}
</section>`;
}

function sceneArticle({ styles, picture, shown, ranking, maps }: ExplainedScene, index: number, uri: Embedded): string {
  const what = listOf(shown.map(nameOf));
  const remark = styles === "held-out" ? ` <span class="tag">in a drawing style it was never shown</span>` : "";
  const bars = ranking.slice(0, listed).map(({ class: classIndex, name, probability }) => {
    const present = shown.includes(classIndex);
    const mark = present ? "" : ` <span class="absent">not there</span>`;
    return `<li class="${probability >= namedFrom ? "named" : "other"}"><span class="name">${emoji(classIndex)}
${escaped(name)}${mark}</span><span class="value">${percent(probability)}</span>
<span class="bar" aria-hidden="true"><span style="width:${(probability * 100).toFixed(1)}%"></span></span></li>`;
  });
  return `<article class="scene">
<h3>Picture ${index + 1}: ${escaped(what)}${remark}</h3>
<div class="row">
<div class="seen">
<img src="${uri(picture)}" width="${picture.width}" height="${picture.height}"
alt="A drawn scene with ${escaped(what)}">
<ol class="answer">
${bars.join("\n")}
</ol>
</div>
<div class="maps">
${maps.map((map) => mapFigure(map, uri)).join("\n")}
</div>
</div>
</article>`;
}

const emoji = (classIndex: number): string =>
  `<span class="emoji" aria-hidden="true">${classes[classIndex]?.emoji ?? ""}</span>`;

function mapFigure({ target, picture, peak, onObject }: ClassMap, uri: Embedded): string {
  const verdict =
    onObject === null ? "the picture shows none" : onObject ? "largest value on it" : "largest value beside it";
  const place = `left:${(peak.x * 100).toFixed(1)}%;top:${(peak.y * 100).toFixed(1)}%`;
  return `<figure>
<div class="map"><img src="${uri(picture)}" width="${picture.width}" height="${picture.height}"
alt="Map for ${escaped(target.name)} over the picture in grey; ${verdict}">
<span class="peak" style="${place}" aria-hidden="true"></span></div>
<figcaption>${emoji(target.class)} <strong>${escaped(target.name)}</strong> ${percent(target.probability)}
<span class="verdict ${onObject === true ? "hit" : "miss"}">${verdict}</span></figcaption>
</figure>`;
}

/** Maps with a heading for each row and column. */
function matrix(
  caption: string,
  columns: readonly string[],
  rows: readonly { readonly head: string; readonly tiles: readonly Tile[] }[],
  uri: Embedded,
  alt: (row: number, column: number) => string,
): string {
  const heads = columns.map((column) => `<th scope="col">${column}</th>`).join("");
  const lines = rows.map(({ head, tiles }, r) => {
    const cells = columns.map((_, c) => {
      const tile = tiles[c];
      if (tile === undefined) return `<td><span class="flat">left out: a flat map is in it</span></td>`;
      const { picture, flat } = tile;
      const size = `width="${picture.width}" height="${picture.height}"`;
      const note = flat ? `<span class="flat">flat: the same everywhere</span>` : "";
      return `<td><img src="${uri(picture)}" ${size} alt="${escaped(alt(r, c))}">${note}</td>`;
    });
    return `<tr><th scope="row">${head}</th>${cells.join("")}</tr>`;
  });
  return `<div class="scroll" role="region" aria-label="${escaped(caption)}" tabindex="0">
<table><caption>${escaped(caption)}</caption>
<thead><tr><td></td>${heads}</tr></thead>
<tbody>${lines.join("\n")}</tbody></table></div>`;
}

const scales = `<p class="legend"><span>low</span><span class="scale unsigned"></span><span>high</span>
<span class="gap"></span><span>against</span><span class="scale signed"></span><span>for</span></p>`;

function methodsSection({ comparisons, layers }: PageContent, uri: Embedded): string {
  // Of the deepest layer; after it stands the combination.
  const deepest = layers.length - 1;
  const rows = comparisons.map(({ target, rows: each }) => ({
    head: `${emoji(target.class)} ${escaped(target.name)}`,
    tiles: each.flatMap(({ tiles }) => tiles.slice(deepest, deepest + 1)),
  }));
  const words = methods.map(({ name, words: text }) => `<div><dt>${name}</dt><dd>${escaped(text)}</dd></div>`);
  return `<section aria-labelledby="methods">
<h2 id="methods">The same question, asked in ${methods.length} ways</h2>
<p>One picture, two classes, at the model's last stage. Where two rows look the same, a method shows
what is in the picture rather than what speaks for the class. The gradient alone is the same everywhere at this stage,
since all that follows is an average over the places: it needs an earlier one.</p>
${scales}
${matrix(
  "Methods side by side, a row a class",
  methods.map(({ name }) => name),
  rows,
  uri,
  (r, c) => `Map for ${comparisons[r]?.target.name} by ${methods[c]?.name}`,
)}
<dl class="words">${words.join("\n")}</dl>
</section>`;
}

function layersSection({ comparisons: [first], layers }: PageContent, uri: Embedded): string {
  if (first === undefined) return "";
  const columns = [...layers, "all combined"];
  return `<section aria-labelledby="layers">
<h2 id="layers">Looking through the layers</h2>
<p>Early layers are fine in detail but see only texture; late ones are coarse and know what a thing is. A method that
holds up early can combine them: sharp, and about the class. Each map has its own scale.</p>
${scales}
${matrix(
  `${capital(first.target.name)}, by method and layer`,
  columns,
  first.rows.map(({ method, tiles }) => ({ head: method, tiles })),
  uri,
  (r, c) => `Map for ${first.target.name} by ${first.rows[r]?.method}, ${columns[c]}`,
)}
</section>`;
}

function nextSection({ command }: PageContent): string {
  return `<section aria-labelledby="next">
<h2 id="next">Now with your own</h2>
<p>One of these pictures again, another class, another method:</p>
<pre><code>${escaped(command)}</code></pre>
<p>A photo of yours with any ONNX image classifier:</p>
<pre><code>npm run explain -- photo.jpg --model model.onnx</code></pre>
<p>The PNG and JSON files beside this page hold each map with its legend, its raw range, and how it was made.</p>
</section>`;
}

function footer({ model, runtime, took }: PageContent): string {
  return `<footer>
<p>Made by <code>npm run demo</code> in ${escaped(took)} with ${escaped(runtime)}, offline. Model SHA-256
<code>${model.sha256.slice(0, 16)}…</code>; it was trained by this project's own gradients (<code>npm run
demo:train</code>).</p>
<p>Objects in the pictures: Noto Emoji (Google, Apache-2.0), Fluent Emoji (Microsoft, MIT), FxEmojis (Mozilla,
Apache-2.0), EmojiOne 2.3, Streamline Emojis and Twemoji (CC BY 4.0), rasterised, turned and recoloured; sources are in
<code>infra/demo/ASSETS.md</code>.</p>
</footer>`;
}
