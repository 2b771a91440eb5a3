/**
 * @file The model-randomisation check (Adebayo et al. 2018) on the demo's classifier: maps of a net that has lost its
 *   weights must not look like those of the net that has them. With controls that ignore weights, which it must catch.
 */
import { beforeAll, describe, expect, it } from "vitest";
import { loadAtlas } from "../../infra/demo/atlas.ts";
import {
  closeExplainers,
  combined,
  feedsOf,
  loadStudied,
  mapsAt,
  openExplainers,
  studySeeds,
  type Trial,
  trialsOf,
} from "../../infra/demo/study-pointing.ts";
import { readModel } from "../../infra/demo/train/model-files.ts";
import { mean } from "../../shared/evaluation/intervals.ts";
import { randomiseWeights, weightedLayers } from "../../shared/evaluation/randomise.ts";
import { mapAgreement } from "../../shared/evaluation/rank.ts";
import type { Graph } from "../../shared/graph/ir.ts";
import type { FloatMap } from "../../shared/imaging/resize.ts";
import { openRuntime } from "../../shared/runtime/choose.ts";

const scenes = 8;
const methods = ["norm-grad-selective", "norm-grad", "linear-approximation", "grad-cam", "gradient"];
const stages = ["stage1", "stage2", "stage3"];
/** The gradient at the last stage, before an average pool, is the same everywhere: no map, and no product. */
const layersOf = (method: string): readonly string[] =>
  method === "gradient" ? stages.slice(0, -1) : [...stages, combined];

/**
 * The most a map may keep of its ranks' variance (rho^2) when all weights are random. One that ignores the weights
 * keeps all of it; what is positive where the scene has edges keeps some. From half on, one could stand for the other.
 */
const keptMax = 1 / 2;
const ignoresWeights = (rho: number): boolean => rho > 0 && rho ** 2 >= keptMax;

/** The intact net, and nets with random weights from the output down: the last layer's, half of them, all. */
const nets = ["intact", "head", "half", "all"] as const;
type Net = (typeof nets)[number];

/** Maps of every scene by method and layer, and of the control that never looks at the net. */
type Maps = ReadonlyMap<string, readonly FloatMap[]>;
const maps = new Map<Net, Maps>();
const key = (method: string, layer: string): string => `${method} ${layer}`;
const edges = "edges";

/** The magnitude of the picture's own slope: as good a picture of the objects as many a map, and deaf to the net. */
function edgesOf({ sample: { size, data } }: Trial): FloatMap {
  const at = (x: number, y: number): number => data[(y * size + x) * 3 + 1] ?? 0;
  const slopes = Float32Array.from({ length: size * size }, (_, i) => {
    const [x, y] = [i % size, Math.floor(i / size)];
    return Math.hypot(at(Math.min(x + 1, size - 1), y) - at(x, y), at(x, Math.min(y + 1, size - 1)) - at(x, y));
  });
  return { width: size, height: size, data: slopes };
}

/** Maps are compared at the size of the finest stage. */
const size = { width: 32, height: 32 };

/**
 * Mean rho over the scenes of one kind of map, the intact net's against another's. A map that has become flat
 * (Grad-CAM's where nothing is positive) has kept nothing: it counts as 0.
 */
function rho(kind: string, net: Net): number {
  const others = maps.get(net)?.get(kind) ?? [];
  const before = maps.get("intact")?.get(kind) ?? [];
  expect([before.length, others.length]).toEqual([scenes, scenes]);
  return mean(before.map((map, i) => mapAgreement(map, others[i] ?? map, size) ?? 0));
}

beforeAll(async () => {
  const [model, sprites, runtime] = await Promise.all([readModel(), loadAtlas(), openRuntime("auto")]);
  const loaded = await loadStudied(model);
  // One class a scene.
  const trials = Array.from({ length: scenes }, (_, i) => studySeeds.first + i).flatMap((seed) =>
    trialsOf(seed, { styles: "seen", sprites }).slice(0, 1),
  );
  const { signal } = new AbortController();
  const mapsOf = async (graph: Graph): Promise<Maps> => {
    const explainers = await openExplainers(runtime, model, { ...loaded, graph }, methods, signal);
    const found = new Map<string, readonly FloatMap[]>([[edges, trials.map(edgesOf)]]);
    for (const { method, session } of explainers) {
      const outputs = await session.run(feedsOf(trials));
      for (const layer of layersOf(method)) found.set(key(method, layer), mapsAt(outputs, layer));
    }
    await closeExplainers(explainers);
    return found;
  };
  const names = weightedLayers(loaded.graph).map(({ name }) => name);
  const from = { head: names.at(-1), half: names[names.length >> 1], all: names[0] } as const;
  for (const net of nets) {
    const graph =
      net === "intact" ? loaded.graph : randomiseWeights(loaded.graph, "cascading", from[net] ?? "", 1).graph;
    maps.set(net, await mapsOf(graph));
  }
});

describe("random weights", () => {
  for (const method of methods) {
    it(`leave of a ${method} map no more than chance and edges do`, () => {
      const kept = layersOf(method).filter((layer) => ignoresWeights(rho(key(method, layer), "all")));
      expect(kept).toEqual([]);
    });
  }

  it("leave less of the default method's maps the more of the net they take", () => {
    for (const layer of [...stages, combined]) {
      const [head, all] = [
        rho(key("norm-grad-selective", layer), "head"),
        rho(key("norm-grad-selective", layer), "all"),
      ];
      expect(head, layer).toBeLessThan(0.95);
      expect(all, layer).toBeLessThan(head);
    }
  });

  it("in the last layer alone leave nothing of what adds up to the class's score", () => {
    // Its sign is the head's: half of the time another head says the opposite.
    for (const layer of stages)
      expect(Math.abs(rho(key("linear-approximation", layer), "head")), layer).toBeLessThan(0.5);
  });
});

describe("the check", () => {
  it("catches a map that never looks at the net: an edge detector", () => {
    for (const net of nets) expect(rho(edges, net)).toBeCloseTo(1, 12);
    expect(ignoresWeights(rho(edges, "all"))).toBe(true);
  });

  it("catches weights that were not replaced: every map agrees with itself", () => {
    for (const method of methods)
      for (const layer of layersOf(method)) {
        expect(rho(key(method, layer), "intact"), key(method, layer)).toBeCloseTo(1, 12);
        expect(ignoresWeights(rho(key(method, layer), "intact"))).toBe(true);
      }
  });

  it("catches a method where it really ignores weights: norm-grad before the average pool and the last layer", () => {
    // There the gradient is one vector g for all locations, so the map is |g| |x_u|: whichever class is meant.
    expect(rho(key("norm-grad", "stage3"), "head")).toBeCloseTo(1, 5);
    expect(ignoresWeights(rho(key("norm-grad", "stage3"), "head"))).toBe(true);
  });
});
