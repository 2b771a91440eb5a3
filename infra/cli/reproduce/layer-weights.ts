/** @file The weightings of a method's layers, each measured on the images of a dataset. */
import { classContrast, featureSpread, layerShares, type WeightStrategy } from "../../../shared/evaluation/weights.ts";
import { probeAccuracy } from "../../../shared/evaluation/weights-probe.ts";
import type { EvaluateJob, MethodRun } from "../evaluate/job.ts";
import { evaluatePointing } from "../evaluate/pointing.ts";
import { evaluateSensitivity } from "../evaluate/sensitivity.ts";
import { type LayerFeatures, layerFeatures } from "./layer-features.ts";
import { withList } from "./with-list.ts";

export interface LayerWeights {
  readonly strategy: WeightStrategy;
  readonly layers: readonly string[];
  /** What was measured, one a layer, shallow to deep. */
  readonly measured: readonly number[];
  /** The shares, sum 1. */
  readonly weights: readonly number[];
  /** Of what, for whoever reads the table. */
  readonly note: string;
}

/** Features are the model's, not a method's: methods of the same layers share them. */
export class FeatureStore {
  readonly #found = new Map<string, Promise<LayerFeatures>>();

  of(job: EvaluateJob, run: MethodRun): Promise<LayerFeatures> {
    const key = JSON.stringify(run.explainer.manifest.layers);
    const found = this.#found.get(key) ?? layerFeatures(job, run);
    this.#found.set(key, found);
    return found;
  }
}

/** Measures one weighting. `pointing-accuracy` needs annotations; images that fail are among the job's problems. */
export async function layerWeights(
  job: EvaluateJob,
  run: MethodRun,
  strategy: WeightStrategy,
  features: FeatureStore,
): Promise<LayerWeights> {
  const layers = run.explainer.manifest.layers.map((l) => l.name);
  const { values, note } = await measure({ ...job, runs: [run] }, run, strategy, features);
  return { strategy, layers, measured: values, weights: layerShares(values), note };
}

interface Measured {
  readonly values: readonly number[];
  readonly note: string;
}

async function measure(
  job: EvaluateJob,
  run: MethodRun,
  strategy: WeightStrategy,
  features: FeatureStore,
): Promise<Measured> {
  switch (strategy) {
    case "feature-spread": {
      const { layers } = await features.of(job, run);
      return {
        values: layers.map(featureSpread),
        note: `the part of the pooled features' mean square that varies over ${layers[0]?.length ?? 0} images`,
      };
    }
    case "accuracy": {
      const { layers, labels, labelled } = await features.of(job, run);
      const found = layers.map((rows) => probeAccuracy(rows, labels));
      const [{ images = 0, classes = 0, chance = 0, alone = 0 } = {}] = found;
      const left = alone > 0 ? `; ${alone} images left out, their class being shown once` : "";
      return {
        values: found.map((f) => f.accuracy),
        note:
          `linear probe, each of ${images} images left out in turn, ${classes} classes labelled ${labelled}, ` +
          `chance ${chance.toFixed(3)}${left}`,
      };
    }
    case "pointing-accuracy": {
      const { rows } = await evaluatePointing(job);
      const own = rows.filter((row) => row["method"] === run.method && row["subset"] === "all");
      const trials = own[0]?.["trials"] ?? 0;
      return {
        values: run.explainer.manifest.layers.map((_, i) => Number(own[i]?.["accuracy"] ?? 0)),
        note: `the pointing game of the layer's own maps, ${trials} trials: an oracle where it is judged on the same`,
      };
    }
    case "class-contrast": {
      const { rows } = await evaluateSensitivity({ ...job, args: withList(job.args, "pair", ["top1-top2"]) });
      const own = run.explainer.manifest.layers.map((_, i) => rows[i]);
      const counts = own.map((row) => [Number(row?.["images"] ?? 0), Number(row?.["flat"] ?? 0)] as const);
      return {
        values: own.map((row, i) => {
          const rho = row?.["rho"];
          return classContrast(typeof rho === "number" ? rho : null, ...(counts[i] ?? [0, 0]));
        }),
        note:
          "1 - Spearman's rho of the layer's maps for the two most probable classes, over " +
          `${(counts[0]?.[0] ?? 0) + (counts[0]?.[1] ?? 0)} images; flat maps count 0`,
      };
    }
  }
}
