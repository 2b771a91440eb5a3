/** @file The vector-Jacobian product of any model, as a model. */
import { AppError } from "../errors.ts";
import { GraphBuilder, typeOf } from "../graph/builder.ts";
import type { Graph, Value } from "../graph/ir.ts";
import { namedValues, nearest } from "../graph/walk.ts";
import { backward, isDifferentiable } from "./backward.ts";

export interface GradientOptions {
  /** Tensors differentiated: outputs or inner ones; by default every floating-point output. */
  readonly of?: readonly string[];
  /** Tensors the gradient is with respect to: inputs, inner ones or weights; by default every floating-point input. */
  readonly wrt?: readonly string[];
}

/**
 * A graph whose inputs are the model's and one `cotangent/<y>` for each differentiated tensor y (of y's type and
 * shape), and whose outputs are `gradient/<x>` = sum_y (dy/dx)^T cotangent_y for each x asked for, of x's type and
 * shape.
 *
 * A tensor no path reaches has gradient zero. Weights keep their names and values.
 * @throws AppError `spec-invalid` for a name the model does not have or a tensor that is not floating point;
 *   `model-unsupported` where a gradient must pass an operator without a rule
 */
export function gradientGraph(graph: Graph, options: GradientOptions = {}): Graph {
  const values = namedValues(graph);
  const find = (name: string, purpose: string): Value => {
    const value = values.get(name);
    if (value === undefined) {
      const near = nearest(name, [...values.keys()]).map((n) => `"${n}"`);
      throw new AppError("spec-invalid", `no tensor "${name}" ${purpose}; the nearest names are ${near.join(", ")}`, {
        name,
      });
    }
    if (!isDifferentiable(value)) {
      throw new AppError(
        "spec-invalid",
        `"${name}" is ${typeOf(value).dtype}: only floating-point tensors have gradients`,
        { name },
      );
    }
    return value;
  };
  const of = options.of?.map((n) => find(n, "to differentiate")) ?? graph.outputs.filter(isDifferentiable);
  const wrt = options.wrt?.map((n) => find(n, "to differentiate by")) ?? graph.inputs.filter(isDifferentiable);
  if (of.length === 0) throw new AppError("spec-invalid", "the model has no floating-point output to differentiate");
  if (wrt.length === 0) throw new AppError("spec-invalid", "the model has no floating-point input to differentiate by");
  const g = new GraphBuilder(graph);
  const seeds = new Map(of.map((y) => [y, g.input(`cotangent/${y.name}`, typeOf(y))]));
  const gradients = backward(g, seeds, wrt);
  return g.build(wrt.map((x, i) => g.named(gradients[i] ?? x, `gradient/${x.name}`)));
}
