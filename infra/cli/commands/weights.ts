/** @file `backlight weights`: each layer's share in a combination, measured on a folder of images. */
import path from "node:path";
import { type WeightStrategy, weightStrategies } from "../../../shared/evaluation/weights.ts";
import { choicesOf } from "../args.ts";
import type { Command, Outcome } from "../command.ts";
import { datasetOptions } from "../evaluate/dataset-options.ts";
import { prepareEvaluation } from "../evaluate/job.ts";
import { tableText } from "../evaluate/output.ts";
import type { Row } from "../evaluate/report.ts";
import { writeAtomic } from "../files.ts";
import { FeatureStore, type LayerWeights, layerWeights } from "../reproduce/layer-weights.ts";
import { withList } from "../reproduce/with-list.ts";
import { runtimeOptions } from "../runtime-args.ts";
import { specOptions } from "../spec-args.ts";

const { weights: _measured, ...spec } = specOptions;
/** Decimals of a share: enough that rounding moves no map visibly. */
const DECIMALS = 4;

export const weights: Command = {
  summary: "measures each layer's share in a combination on a folder of images",
  positionals: ["DATASET"],
  options: {
    model: { short: "m", value: "MODEL", help: "an .onnx file, or a name in the catalogue (required)" },
    card: { value: "FILE", help: "the model's card (default: the card beside the model)" },
    strategy: {
      value: "NAMES",
      list: true,
      help: `${weightStrategies.join(", ")}: one or more (default class-contrast)`,
    },
    ...spec,
    ...datasetOptions,
    out: { short: "o", value: "DIR", help: "where weights.json is written (default out/evaluation)" },
    ...runtimeOptions,
  },
  details: `A strategy measures one number a layer, and a layer's weight is its share of their sum:
  feature-spread     the part of the layer's pooled features' mean square that varies between images
  accuracy           of a linear probe on the pooled features, each image left out in turn; on the annotated classes, or
                     where images have no annotations on the model's own predictions
  pointing-accuracy  of the layer's own maps; needs annotations, and is an oracle where it is then judged on the same
  class-contrast     1 - Spearman's rho of the layer's maps for the two most probable classes; needs no labels, and
                     leaves out layers whose maps are flat or class-blind

DATASET is what evaluate takes, here or in a bucket (s3://bucket/folder).

Pass the weights on with the same --method and --layers:
  backlight explain photo.jpg --model MODEL --layers LAYERS --weights 0.2,0.3,0.5`,
  async run(args, terminal): Promise<Outcome> {
    const asked = choicesOf(args, "strategy", weightStrategies);
    const strategies: readonly WeightStrategy[] = asked.length > 0 ? asked : ["class-contrast"];
    const method = args.text("method") ?? "norm-grad-selective";
    const job = await prepareEvaluation(
      withList(args, "methods", [method]),
      terminal,
      strategies.includes("pointing-accuracy") || (strategies.includes("accuracy") && "if any"),
    );
    const [run] = job.runs;
    if (run === undefined) throw new TypeError("an evaluation has a method");
    const features = new FeatureStore();
    const found: LayerWeights[] = [];
    try {
      for (const strategy of strategies) found.push(await layerWeights(job, run, strategy, features));
    } finally {
      await job.pool.close();
      await job.journal.close();
    }
    const document = {
      schema: 1,
      model: { name: job.model.name, sha256: job.model.sha256 },
      method: run.method,
      dataset: { path: args.positionals[0], images: job.dataset.images.length },
      strategies: found,
      skipped: Object.fromEntries(job.skipped),
      failures: job.problems,
    };
    const text = JSON.stringify(document, null, 2);
    await writeAtomic(path.join(job.out, "weights.json"), `${text}\n`);
    if (args.flag("json")) terminal.print(text);
    else {
      for (const each of found)
        terminal.print(`${each.strategy}: ${each.note}\n${tableText(rowsOf(each))}\n${passOn(each)}\n`);
    }
    for (const [why, what] of job.skipped) terminal.note(`skipped: ${what.length} ${why}, such as ${what[0]}`);
    return job.problems.length === 0 ? 0 : job.problems.some((p) => p.code === "internal") ? 3 : 1;
  },
};

const rowsOf = ({ layers, measured, weights: shares }: LayerWeights): readonly Row[] =>
  layers.map((layer, i) => ({ layer, measured: measured[i] ?? null, weight: shares[i] ?? null }));

const passOn = ({ layers, weights: shares }: LayerWeights): string =>
  `--layers ${layers.join(",")} --weights ${shares.map((w) => Number(w.toFixed(DECIMALS))).join(",")}`;
