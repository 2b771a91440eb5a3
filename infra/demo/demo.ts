/**
 * @file `npm run demo`: draws scenes, explains them with the model that comes with the project, writes pictures and one
 * page, and then sends the same scenes through the pipeline. Works offline and needs nothing but `npm ci`.
 */
import path from "node:path";
import type { Raster } from "../../shared/imaging/image.ts";
import { composeSheet } from "../../shared/imaging/sheet.ts";
import type { Args, Options } from "../cli/args.ts";
import { png } from "../cli/explain-one.ts";
import { writeAtomic } from "../cli/files.ts";
import { runtimeOptions } from "../cli/runtime-args.ts";
import { bytesText, millisecondsText, type Terminal } from "../cli/terminal.ts";
import { loadAtlas } from "./atlas.ts";
import { compareMethods, type ExplainedScene, explainScene, type MethodMaps, prepareDemo } from "./explain-scenes.ts";
import { type PageContent, pageOf } from "./page.ts";
import { explainByPipeline } from "./pipeline.ts";
import { compared, comparedClasses, explainedMax, namedFrom, scenes } from "./showcase.ts";
import { modelFolder, readModel } from "./train/model-files.ts";
import { runScript } from "./train/script.ts";

/** Sheets are for a look at all: the page has the tiles larger. */
const sheetTileSide = 240;

const { runtime: runtimeOption } = runtimeOptions;
const options: Options = {
  out: { short: "o", value: "DIR", help: "where the page and the pictures are written (default ./out/demo)" },
  model: { value: "DIR", help: "the folder of the demo's model (default: the one that comes with the project)" },
  ...(runtimeOption && { runtime: runtimeOption }),
};

async function run(args: Args, terminal: Terminal): Promise<number> {
  const start = performance.now();
  const out = args.text("out") ?? path.join("out", "demo");
  terminal.progress("reading the model and the drawings");
  const [model, sprites] = await Promise.all([readModel(args.text("model") ?? modelFolder), loadAtlas()]);
  const demo = await prepareDemo(model.file, args.text("runtime"), out, terminal);
  try {
    const explained: ExplainedScene[] = [];
    for (const [i, scene] of scenes.entries()) {
      terminal.progress(`scene ${i + 1} of ${scenes.length}`);
      explained.push(await explainScene(demo, scene, `scene-${i + 1}`, sprites));
    }
    const first = explained[compared];
    if (first === undefined) throw new RangeError("the compared scene is one of the list");
    const comparisons: MethodMaps[] = [];
    const present = first.ranking.filter((each) => first.shown.includes(each.class));
    for (const { name } of present.slice(0, comparedClasses)) {
      terminal.progress(`${name} by all methods`);
      comparisons.push(await compareMethods(demo, first.input, name));
    }
    terminal.progress("writing the page");
    await writeSheets(out, first, comparisons, demo.layers);
    await writeAtomic(path.join(out, "scenes.png"), await png(scenesSheet(explained)));
    const content: PageContent = {
      model: { name: demo.job.model.name, size: bytesText(model.bytes.length), sha256: model.sha256 },
      runtime: demo.job.circumstances.runtime,
      took: millisecondsText(performance.now() - start),
      scenes: explained,
      comparisons,
      layers: demo.layers,
      command: commandFor(first, out, model.file),
    };
    await writeAtomic(path.join(out, "index.html"), await pageOf(content));
    terminal.progress("");
    report(terminal, explained);
    terminal.print("");
    const files = explained.map(({ name }) => path.join(out, `${name}.png`));
    await explainByPipeline(files, model.file, out, terminal);
    terminal.print("");
    terminal.print(`open ${path.join(out, "index.html")} in a browser`);
    const took = millisecondsText(performance.now() - start);
    terminal.print(`pictures and results: ${out}, those of the bucket in ${path.join(out, "bucket")} (${took})`);
    return 0;
  } finally {
    await demo.job.pool.close();
  }
}

/** A command that works in the project's folder, with the second class the model named, or the first. */
function commandFor({ name, maps }: ExplainedScene, out: string, model: string): string {
  const target = (maps[1] ?? maps[0])?.target.name ?? "top1";
  const file = path.relative(".", model);
  return `npm run explain -- ${path.join(out, `${name}.png`)} --model ${file} --target "${target}" --method norm-grad`;
}

/** The two comparisons as pictures: methods at the deepest layer, and all layers of the first class. */
async function writeSheets(
  out: string,
  { name }: ExplainedScene,
  comparisons: readonly MethodMaps[],
  layers: readonly string[],
): Promise<void> {
  const [first] = comparisons;
  if (first === undefined) return;
  const columns = first.rows.map(({ method }) => method);
  const deepest = layers.length - 1;
  const methodsSheet = composeSheet({
    title: `${name}: methods at ${layers[deepest]}`,
    subtitle: "each map on its own scale",
    columns,
    rows: comparisons.map(({ target }) => target.name),
    tiles: comparisons.map(({ rows }) => rows.map(({ tiles }) => tiles[deepest]?.picture ?? null)),
    tileSide: sheetTileSide,
  });
  const layersSheet = composeSheet({
    title: `${name}: ${first.target.name} by method and layer`,
    subtitle: "each map on its own scale",
    columns: [...layers, "all combined"],
    rows: columns,
    tiles: first.rows.map(({ tiles }) => tiles.map(({ picture }) => picture)),
    tileSide: sheetTileSide,
  });
  await writeAtomic(path.join(out, "methods.png"), await png(methodsSheet));
  await writeAtomic(path.join(out, "layers.png"), await png(layersSheet));
}

/** Every scene with the maps of what was named in it, from left to right as the row says. */
function scenesSheet(explained: readonly ExplainedScene[]): Raster {
  return composeSheet({
    title: "where each answer comes from",
    subtitle: "norm-grad-selective, three layers combined, each map on its own scale",
    columns: ["scene", "first", "second", "third"],
    rows: explained.map(({ maps }) => maps.map(({ target }) => target.name).join(", ")),
    tiles: explained.map(({ picture, maps }) => {
      const tiles = maps.map((map) => map.picture);
      return [picture, ...tiles, ...Array<null>(Math.max(0, explainedMax - tiles.length)).fill(null)];
    }),
    tileSide: sheetTileSide,
  });
}

function report({ print }: Terminal, explained: readonly ExplainedScene[]): void {
  for (const { name, ranking, maps } of explained) {
    const named = ranking.filter(({ probability }) => probability >= namedFrom);
    const said = (named.length > 0 ? named : ranking.slice(0, 1))
      .map((each) => `${each.name} ${(each.probability * 100).toFixed(0)} %`)
      .join(", ");
    const hits = maps.filter(({ onObject }) => onObject === true).length;
    print(`${name}  ${said}  (${hits} of ${maps.length} maps are largest on the object)`);
  }
}

await runScript("demo", "explains scenes with the model that comes with the project", options, run);
