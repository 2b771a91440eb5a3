/** @file Which backward rules a method takes, and whether they can serve the layers and objective asked for. */
import { deconvnet, guided } from "../autodiff/modified.ts";
import { excitation, isWeighted } from "../autodiff/modified-excitation.ts";
import { rules } from "../autodiff/rules.ts";
import type { RuleTable } from "../autodiff/vjp.ts";
import { AppError } from "../errors.ts";
import type { Node, Value } from "../graph/ir.ts";
import type { Path } from "./path.ts";
import type { At } from "./recompute.ts";
import type { ExplainSpec, Objective } from "./spec.ts";

/** Excitation backprop starts from a distribution over scores; these objectives' gradients are one. */
const distributions: ReadonlySet<Objective> = new Set(["logit", "pointing", "region"]);
/** Operators that only pass a tensor on. */
const unchanged: ReadonlySet<string> = new Set(["Identity", "Dropout", "Cast"]);

/** The rules of the net whose tensors are where `at` says, with these weights computed. */
export type Rules = (at: At, computed: ReadonlySet<Value>) => RuleTable;

/** @throws AppError `spec-invalid` where excitation backprop would say nothing */
export function ruleTable(spec: ExplainSpec, path: Path, wanted: readonly Value[]): Rules {
  switch (spec.method.rules) {
    case "true":
      return () => rules;
    case "guided":
      return () => guided;
    case "deconvnet":
      return () => deconvnet;
    case "excitation":
      expectDistribution(spec.objective);
      return (_at, computed) => excitation({ computed });
    case "contrastive-excitation": {
      expectDistribution(spec.objective);
      const last = lastWeighted(path);
      for (const layer of wanted) expectBelow(last, layer, path);
      const contrast = last.outputs[0];
      return (at, computed) => excitation({ computed, ...(contrast && { contrast: at(contrast) }) });
    }
    default:
      return spec.method.rules satisfies never;
  }
}

function expectDistribution(objective: Objective): void {
  if (distributions.has(objective)) return;
  throw new AppError(
    "spec-invalid",
    `excitation backprop starts from the probability of a class, not from the gradient of ${objective}; ` +
      `use the objective ${[...distributions].join(" or ")}`,
  );
}

function lastWeighted({ tensors, producer }: Path): Node {
  const last = tensors.map((v) => producer.get(v)).findLast((node) => node !== undefined && isWeighted(node));
  if (last) return last;
  throw new AppError(
    "spec-invalid",
    "contrastive excitation backprop negates the weights of the last layer, and there is none",
  );
}

/**
 * The layers at which the method says something, of those chosen by rule. At the input of the last weighted layer both
 * signals of the contrastive form have the same mass at each location, so the map is zero; above it they have not been
 * subtracted yet. All of them where none is left: then `ruleTable` says why.
 */
export function meaningful<T extends { readonly value: Value }>(
  { method }: ExplainSpec,
  path: Path,
  layers: readonly T[],
): readonly T[] {
  if (method.rules !== "contrastive-excitation") return layers;
  const contrast = contrastTensor(lastWeighted(path), path);
  const below = layers.filter((layer) => isBelow(layer.value, contrast, path));
  return below.length > 0 ? below : layers;
}

/** The input of the last weighted layer, seen through what only passes it on. */
function contrastTensor(last: Node, { tensors, producer }: Path): Value {
  const onPath = (node: Node | undefined): Value | undefined =>
    node?.inputs.find((v): v is Value => v !== null && tensors.includes(v));
  let contrast = onPath(last);
  if (contrast === undefined) throw new TypeError("a layer on the path reads something of it");
  for (let node = producer.get(contrast); node && unchanged.has(node.op); node = producer.get(contrast)) {
    contrast = onPath(node) ?? contrast;
  }
  return contrast;
}

const isBelow = (layer: Value, contrast: Value, { tensors }: Path): boolean =>
  tensors.indexOf(layer) < tensors.indexOf(contrast);

function expectBelow(last: Node, layer: Value, path: Path): void {
  const contrast = contrastTensor(last, path);
  if (isBelow(layer, contrast, path)) return;
  throw new AppError(
    "spec-invalid",
    `contrastive excitation backprop says something below the input "${contrast.name}" of the last weighted layer, ` +
      `and "${layer.name}" is not below it; choose a layer before it`,
    { layer: layer.name },
  );
}
