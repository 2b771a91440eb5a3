/**
 * @file The same cases in stock onnxruntime-web, in float32, against the interpreter: forward outputs and gradients.
 * That the runtime takes every operator, attribute and type the rules write is as much a claim as their values.
 */
import { describe, expect, it } from "vitest";
import { backward } from "../../shared/autodiff/backward.ts";
import type { Value } from "../../shared/graph/ir.ts";
import { exportModel } from "../../shared/onnx/export.ts";
import { assemble, assignments, drawInputs, type GradientCase } from "../support/check-gradient.ts";
import { spread } from "../support/draw.ts";
import { evaluate, type Tensor, tensor } from "../support/evaluate.ts";
import { relativeError } from "../support/golden-ops.ts";
import { random } from "../support/random.ts";
import { runOnnx, tensorOf } from "../support/run-onnx.ts";
import { families } from "./cases.ts";

/** Of the largest element, for float32 arithmetic in some other order (golden data: gradients 1e-5). */
const tolerance = 1e-5;
/** A gradient that cancels to nothing beside the others (a bias before a softmax) is rounding noise of their size. */
const scaleMin = 1e-2;
const seed = 0xdeadbeef;

/** What cannot be compared, and why. */
const refused: Readonly<Record<string, string>> = {
  "Conv, auto_pad SAME_UPPER, dilated": "onnxruntime does not combine the two",
  "MaxPool, ceil_mode, a window in the padding alone": "its shape inference counts a window its kernel drops",
  "AveragePool, ceil_mode, a window in the padding alone": "likewise",
  "LRN, even size": "onnxruntime takes odd sizes only",
  "Cast, to float16": "float16 rounds, the interpreter does not",
};

for (const [family, cases] of Object.entries(families)) {
  describe(`onnxruntime computes what the interpreter does: ${family}`, () => {
    for (const [name, check] of Object.entries(cases)) {
      it.skipIf(name in refused)(name, async () => {
        const { bytes, feeds, expected } = prepared(check);
        const found = await runOnnx(bytes, feeds);
        const largest = Math.max(...expected.flatMap(([, { data }]) => Array.from(data, Math.abs)));
        for (const [output, { dims, data }] of expected) {
          expect(found.get(output)?.dims, output).toEqual(dims);
          expect(relativeError(numbersOf(found.get(output)), data, scaleMin * largest), output).toBeLessThan(tolerance);
        }
      });
    }
  });
}

/** The file with forward outputs and gradients, its inputs, and what the interpreter says of each output. */
function prepared(check: GradientCase) {
  const { g, inputs, weights, outputs } = assemble(check, "float32", seed);
  const drawn = drawInputs(check, inputs, assignments(check).at(-1) ?? new Map(), random(seed));
  const feeds = new Map([...drawn].map(([x, { dims, data }]) => [x, tensor(dims, Float32Array.from(data))]));
  const at = evaluate({ nodes: g.nodes }, feeds);
  const next = random(seed + 1);
  const seeds = new Map<Value, Value>();
  outputs.forEach((y, i) => {
    if (y.type === undefined) throw new Error(`output ${i} has no type`);
    const u = g.input(`u${i}`, y.type);
    const { dims, data } = at.get(y) ?? { dims: [], data: [] };
    feeds.set(u, tensor(dims, Float32Array.from(spread(next, data.length))));
    seeds.set(y, u);
  });
  const gradients = backward(g, seeds, [...inputs, ...weights]);
  const results = [
    ...outputs.map((y, i) => g.named(y, `y${i}`)),
    ...gradients.map((dx, i) => g.named(dx, `gradient ${i}`)),
  ];
  const graph = g.build(results);
  const values = evaluate(graph, feeds);
  return {
    bytes: exportModel(graph),
    feeds: Object.fromEntries([...feeds].map(([x, t]) => [x.name, fed(t)])),
    expected: results.map((v) => [v.name, values.get(v) ?? tensor([0], [])] as const),
  };
}

type RuntimeTensor = ReturnType<typeof tensorOf>;

const fed = ({ dims, data }: Tensor): RuntimeTensor => tensorOf(dims, Float32Array.from(data));

function numbersOf(found: RuntimeTensor | undefined): Float32Array {
  return found?.data instanceof Float32Array ? found.data : new Float32Array(0);
}
