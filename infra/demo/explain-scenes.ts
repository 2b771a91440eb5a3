/** @file Explains scenes with the demo's model, by the steps of the command line. Pictures and facts; no page. */

import { readFile } from "node:fs/promises";
import path from "node:path";
import { isHit } from "../../shared/evaluation/pointing.ts";
import type { Explanation } from "../../shared/explanation/document.ts";
import { layerMaps, mainMap, type RawMap, statistics } from "../../shared/explanation/maps.ts";
import type { ClassScore } from "../../shared/explanation/prediction.ts";
import { readSums } from "../../shared/explanation/sums.ts";
import type { Raster } from "../../shared/imaging/image.ts";
import { methodName, parseMethod } from "../../shared/saliency/method.ts";
import { readArgs } from "../cli/args.ts";
import { explain } from "../cli/commands/explain.ts";
import { type ExplainJob, prepareJob } from "../cli/explain-job.ts";
import { answer, explainOne, png, type ReadyInput, readSource } from "../cli/explain-one.ts";
import { type Explainer, makeExplainer } from "../cli/explainer.ts";
import { writeAtomic } from "../cli/files.ts";
import { tile } from "../cli/sheets.ts";
import type { Terminal } from "../cli/terminal.ts";
import type { Atlas } from "./atlas.ts";
import { classes } from "./classes.ts";
import { makeScene, type Scene } from "./scene.ts";
import { explainedMax, methods, namedFrom, type ShownScene, sceneSize } from "./showcase.ts";

/** The map of one class. */
export interface ClassMap {
  readonly target: Explanation["target"];
  readonly picture: Raster;
  /** Where the map is largest, from 0 to 1 across and down. */
  readonly peak: { readonly x: number; readonly y: number };
  /** Whether that is on an object of the class; null where the scene shows none. */
  readonly onObject: boolean | null;
}

export interface ExplainedScene extends ShownScene {
  /** The file's name without ending. */
  readonly name: string;
  readonly picture: Raster;
  /** Indices of the classes it shows. */
  readonly shown: readonly number[];
  /** The model's answer, best first. */
  readonly ranking: readonly ClassScore[];
  /** Of the classes the model named, best first; of the best alone where it named none. */
  readonly maps: readonly ClassMap[];
  readonly input: ReadyInput;
}

/** A map among others; a flat one is the same everywhere and says nothing of where. */
export interface Tile {
  readonly picture: Raster;
  readonly flat: boolean;
}

/** The maps of one class by every method: of each layer, shallow to deep, then of all combined if none is flat. */
export interface MethodMaps {
  readonly target: Explanation["target"];
  readonly rows: readonly { readonly method: string; readonly tiles: readonly Tile[] }[];
}

export interface Demo {
  readonly job: ExplainJob;
  /** Names of the layers, shallow to deep. */
  readonly layers: readonly string[];
  /** One a method, each returning every layer's map. */
  readonly explainers: readonly Explainer[];
}

/** Loads the model and compiles an explainer a method. Throws `card-invalid` where file and card do not belong. */
export async function prepareDemo(
  modelFile: string,
  runtime: string | undefined,
  out: string,
  terminal: Terminal,
): Promise<Demo> {
  const words = ["--model", modelFile, ...(runtime === undefined ? [] : ["--runtime", runtime])];
  const args = readArgs(words, { positionals: [], options: explain.options }, "explain");
  const write = new Set(["overlay", "json"] as const);
  const job = await prepareJob(args, { out, write, sheet: "none", drawing: {}, terminal });
  const explainers = methods.map(({ name }) => {
    terminal.progress(`compiling ${name}`);
    return makeExplainer(job.model, { ...job.spec, method: parseMethod(name), layerMaps: true });
  });
  return { job, layers: explainers[0]?.manifest.layers.map(({ name }) => name) ?? [], explainers };
}

/** Draws a scene, explains what the model names in it by the default method, and writes the pictures of that. */
export async function explainScene(
  { job, explainers: [explainer] }: Demo,
  shown: ShownScene,
  name: string,
  sprites: Atlas,
): Promise<ExplainedScene> {
  if (explainer === undefined) throw new RangeError("a demo has a method");
  const scene = makeScene(shown.seed, { size: sceneSize, styles: shown.styles, sprites });
  const file = path.join(job.out, `${name}.png`);
  await writeAtomic(file, await png(scene.image));
  const input = await readSource(job, { label: `${name}.png`, stem: name, array: false, read: () => readFile(file) });
  const [top] = readSums([], job.labels, null);
  if (top === undefined) throw new RangeError("no target is the top class");
  const { ranking } = (await answer(job, input, explainer, top)).prediction;
  const named = ranking.filter(({ probability }) => probability >= namedFrom).slice(0, explainedMax);
  const maps: ClassMap[] = [];
  for (const { name: label } of named.length > 0 ? named : ranking.slice(0, 1)) {
    const [target = top] = readSums([label], job.labels, classes.length);
    const given = await answer(job, input, explainer, target);
    await explainOne(job, input, explainer, target);
    const map = mainMap(given.outputs, explainer.manifest);
    const [row = 0, column = 0] = statistics(map, false).argmax;
    const [height = 1, width = 1] = map.dims;
    const peak = { x: (column + 0.5) / width, y: (row + 0.5) / height };
    const picture = tile(job, input, explainer, map, 0);
    maps.push({ target: given.target, picture, peak, onObject: isOn(scene, given.target.class, peak) });
  }
  return {
    ...shown,
    name,
    picture: scene.image,
    shown: scene.objects.map(({ classIndex }) => classIndex),
    ranking,
    maps,
    input,
  };
}

/**
 * The pointing game's radius is 15 pixels on photos of some 500 (Zhang et al. 2016): the same share of a scene's side.
 */
const pointingTolerance = (15 / 500) * sceneSize;

/** The pointing game: null where the class is not in the scene. */
function isOn({ image, objects }: Scene, classIndex: number, { x, y }: ClassMap["peak"]): boolean | null {
  const object = objects.find((each) => each.classIndex === classIndex);
  if (object === undefined) return null;
  const mask = { width: image.width, height: image.height, data: object.mask };
  return isHit(mask, { x: Math.floor(x * image.width), y: Math.floor(y * image.height) }, pointingTolerance);
}

/** One class of a scene by all methods at all layers. */
export async function compareMethods({ job, explainers }: Demo, input: ReadyInput, label: string): Promise<MethodMaps> {
  const [target] = readSums([label], job.labels, classes.length);
  if (target === undefined) throw new RangeError(`no target is "${label}"`);
  const rows: { method: string; tiles: readonly Tile[] }[] = [];
  let found: Explanation["target"] | undefined;
  for (const explainer of explainers) {
    const { manifest } = explainer;
    const given = await answer(job, input, explainer, target);
    found = given.target;
    const own = layerMaps(given.outputs, manifest);
    const isFlat = (map: RawMap): boolean => statistics(map, false).flat;
    // A combination with a flat map in it would show that map's rounding.
    const maps = own.some(isFlat) ? own : [...own, mainMap(given.outputs, manifest)];
    const tiles = maps.map((map, i) => ({ picture: tile(job, input, explainer, map, i), flat: isFlat(map) }));
    rows.push({ method: methodName(manifest.spec.method), tiles });
  }
  if (found === undefined) throw new RangeError("a demo has a method");
  return { target: found, rows };
}
