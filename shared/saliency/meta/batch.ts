/** @file One image a run: a step of training has one set of weights, so a batch would share it. */
import { AppError } from "../../errors.ts";
import type { Graph } from "../../graph/ir.ts";
import { prepare } from "../../graph/prepare.ts";
import { imageInput } from "../layers.ts";

/**
 * The graph with an open batch fixed to 1: the explainer's inputs then say so, and the runtime refuses others.
 * @throws AppError `spec-invalid` where the model fixes another batch
 */
export function withBatchOfOne(graph: Graph): Graph {
  const image = imageInput(graph);
  const batch = image.type?.shape[0];
  if (batch === 1) return graph;
  if (typeof batch !== "string") {
    throw new AppError(
      "spec-invalid",
      `meta-saliency takes a step of its own for each image, so it needs a batch of 1, and the input "${image.name}" ` +
        `has [${image.type?.shape.join(", ")}]; export the model with a batch of 1 or an open one`,
      { input: image.name },
    );
  }
  const shapes = graph.inputs.flatMap(({ name, type }) =>
    type?.shape.includes(batch) ? [[name, type.shape.map((d) => (d === batch ? 1 : d))] as const] : [],
  );
  return prepare(graph, { inputShapes: new Map(shapes) });
}
