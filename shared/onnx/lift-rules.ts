/**
 * @file What changed between opsets 1 and 18, a row an operator: up to which opset a node has the old form, and the
 * call that does the same in opset 18. What has no row is the same in 18: it only gained types or optional inputs.
 */
import { AppError } from "../errors.ts";
import { describe, float, getFloat, getInt, getInts, getString, int, string } from "../graph/attributes.ts";
import type { Attribute, Node, Value } from "../graph/ir.ts";
import type { Call, Lifting, Rule } from "./lift-call.ts";
import { liftResize, liftResize10 } from "./lift-resize.ts";
import { liftSoftmax } from "./lift-softmax.ts";

interface Row {
  /** The first opset in which the node is already as in 18. */
  readonly until: number;
  readonly rule: Rule;
}

const reduceRow: Row = { until: 18, rule: axesToInput };

const table: ReadonlyMap<string, readonly Row[]> = new Map<string, readonly Row[]>([
  ["BatchNormalization", [{ until: 14, rule: liftBatchNormalization }]],
  ["Cast", [{ until: 6, rule: liftCast }]],
  ["Concat", [{ until: 4, rule: (node) => set(node, { axis: int(getInt(node, "axis", 1)) }) }]],
  ["Clip", [{ until: 11, rule: liftClip }]],
  ["Dropout", [{ until: 12, rule: liftDropout }]],
  ["GlobalLpPool", [{ until: 2, rule: liftNormOrder }]],
  ["Hardmax", [{ until: 13, rule: liftSoftmax }]],
  ["LpPool", [{ until: 2, rule: liftNormOrder }]],
  ["LogSoftmax", [{ until: 13, rule: liftSoftmax }]],
  ["PRelu", [{ until: 7, rule: liftPRelu }]],
  ["Pad", [{ until: 11, rule: liftPad }]],
  ["ReduceL1", [reduceRow]],
  ["ReduceL2", [reduceRow]],
  ["ReduceLogSum", [reduceRow]],
  ["ReduceLogSumExp", [reduceRow]],
  ["ReduceMax", [reduceRow]],
  ["ReduceMean", [reduceRow]],
  ["ReduceMin", [reduceRow]],
  ["ReduceProd", [reduceRow]],
  ["ReduceSum", [{ until: 13, rule: axesToInput }]],
  ["ReduceSumSquare", [reduceRow]],
  [
    "Resize",
    [
      { until: 11, rule: liftResize10 },
      { until: 18, rule: liftResize },
    ],
  ],
  ["Reshape", [{ until: 5, rule: liftReshape }]],
  ["RoiAlign", [{ until: 16, rule: liftRoiAlign }]],
  ["Scatter", [{ until: 18, rule: (node) => ({ ...node, op: "ScatterElements" }) }]],
  ["Selu", [{ until: 6, rule: liftSelu }]],
  ["Slice", [{ until: 10, rule: liftSlice }]],
  ["Softmax", [{ until: 13, rule: liftSoftmax }]],
  ["Split", [{ until: 18, rule: liftSplit }]],
  ["Squeeze", [{ until: 13, rule: axesToInput }]],
  ["TopK", [{ until: 10, rule: liftTopK }]],
  ["Unsqueeze", [{ until: 13, rule: axesToInput }]],
  ["Upsample", [{ until: 10, rule: liftResize10 }]],
  ...["Add", "Sub", "Mul", "Div", "Pow", "And", "Or", "Xor", "Equal", "Greater", "Less", "Gemm"].map(
    // Broadcasting by attribute is rejected before; Gemm's and an absent one are NumPy's.
    (op): [string, readonly Row[]] => [op, [{ until: 7, rule: (node) => drop(node, "axis", "broadcast") }]],
  ),
  ...["LSTM", "GRU", "RNN"].map((op): [string, readonly Row[]] => [
    op,
    [{ until: 7, rule: (node) => drop(node, "output_sequence") }],
  ]),
]);

/** The rule for a node in the old form; undefined where it is the same in opset 18. */
export function ruleFor(node: Node, opset: number): Rule | undefined {
  if (node.domain !== "") return undefined;
  const rule = table.get(node.op)?.find((row) => opset < row.until)?.rule;
  // Until opset 5 many operators could name inputs they overwrite: an optimisation without meaning.
  if (opset < 6 && node.attributes.has("consumed_inputs")) {
    return (old, lifting) => drop({ ...old, ...rule?.(old, lifting) }, "consumed_inputs");
  }
  return rule;
}

function drop(call: Call, ...names: readonly string[]): Call {
  return { ...call, attributes: new Map([...call.attributes].filter(([name]) => !names.includes(name))) };
}

function set(call: Call, entries: Readonly<Record<string, Attribute>>): Call {
  return { ...call, attributes: new Map([...call.attributes, ...Object.entries(entries)]) };
}

/** Reductions, Squeeze, Unsqueeze: the attribute `axes` became the second input. */
function axesToInput(node: Node, lifting: Lifting): Call {
  const axes = getInts(node, "axes");
  const rest = drop(node, "axes");
  // No axes, and an empty list alike, mean all of them in both forms.
  return axes === undefined || axes.length === 0
    ? rest
    : { ...rest, inputs: [...node.inputs.slice(0, 1), lifting.int64s(axes, "axes")] };
}

function liftBatchNormalization(node: Node, lifting: Lifting): Call {
  if ([1, 2, 3, 4].some((i) => lifting.isOutputUsed(i))) {
    throw new AppError(
      "model-unsupported",
      `${describe(node)}: its training outputs are used: export the model for inference`,
      { node: node.name },
    );
  }
  return { ...drop(node, "spatial", "is_test"), outputCount: 1 };
}

/** TensorProto.DataType by name, as opset 5 wrote it. */
const dataTypes = ["", "FLOAT", "UINT8", "INT8", "UINT16", "INT16", "INT32", "INT64", "STRING", "BOOL", "FLOAT16"];

function liftCast(node: Node): Call {
  if (node.attributes.get("to")?.kind !== "string") return node;
  const name = getString(node, "to", "").toUpperCase();
  const code = name === "DOUBLE" ? 11 : dataTypes.indexOf(name);
  if (code < 1) throw new AppError("model-malformed", `${describe(node)}: there is no type "${name}" to cast to`);
  return set(node, { to: int(code) });
}

/** The bounds were attributes; an absent one is the type's own limit in both forms. */
function liftClip(node: Node, lifting: Lifting): Call {
  const [x = null] = node.inputs;
  const bound = (name: string): Value | null =>
    node.attributes.has(name) ? lifting.scalarLike(x, getFloat(node, name, 0), name) : null;
  return { ...drop(node, "min", "max"), inputs: trimmed([x, bound("min"), bound("max")]) };
}

/** Trailing absent inputs are left out. */
function trimmed(inputs: readonly (Value | null)[]): readonly (Value | null)[] {
  return inputs.slice(0, inputs.findLastIndex((v) => v !== null) + 1);
}

/** Inference is the identity, whatever the ratio, which became an input. */
function liftDropout(node: Node, lifting: Lifting): Call {
  if (lifting.opset < 10 && lifting.isOutputUsed(1)) {
    throw new AppError("model-unsupported", `${describe(node)}: its mask is used, which changed its type in opset 10`);
  }
  return drop(node, "ratio", "is_test");
}

/** A slope of one value a channel was broadcast along axis 1, not along the last as NumPy would. */
function liftPRelu(node: Node, lifting: Lifting): Call {
  const [x = null, slope = null] = node.inputs;
  const channels = slope?.type?.shape.length === 1 ? slope.type.shape[0] : undefined;
  if (channels === undefined || channels === 1 || slope === null) return node;
  const rank = x?.type?.shape.length;
  if (rank === undefined) {
    throw new AppError(
      "model-unsupported",
      `${describe(node)}: the rank of its input is unknown, so opset ` +
        `${lifting.opset}'s slope cannot be broadcast: convert the model to opset 7 or newer`,
    );
  }
  const shape = lifting.int64s([-1, ...Array.from({ length: Math.max(0, rank - 2) }, () => 1)], "shape");
  const reshaped = lifting.node({ op: "Reshape", inputs: [slope, shape], attributes: new Map() }, "slope");
  return { ...node, inputs: [x, reshaped] };
}

function liftPad(node: Node, lifting: Lifting): Call {
  const [x = null] = node.inputs;
  const pads = lifting.int64s(exact(node, lifting.opset < 2 ? "paddings" : "pads"), "pads");
  const value = getFloat(node, "value", 0);
  const inputs = value === 0 ? [x, pads] : [x, pads, lifting.scalarLike(x, value, "value")];
  return { ...drop(node, "pads", "paddings", "value"), inputs };
}

/** The order of the norm was a float. */
function liftNormOrder(node: Node): Call {
  const p = node.attributes.get("p");
  return p?.kind === "float" ? set(node, { p: int(Math.round(p.value)) }) : node;
}

function liftReshape(node: Node, lifting: Lifting): Call {
  const [x = null] = node.inputs;
  return { ...drop(node, "shape"), inputs: [x, lifting.int64s(exact(node, "shape"), "shape")] };
}

/** The new default of opset 16 shifts the grid by half a pixel. */
function liftRoiAlign(node: Node): Call {
  return set(node, { coordinate_transformation_mode: string("output_half_pixel") });
}

/** Opset 1's defaults have fewer digits. */
function liftSelu(node: Node): Call {
  return set(node, { alpha: float(getFloat(node, "alpha", 1.6732)), gamma: float(getFloat(node, "gamma", 1.0507)) });
}

function liftSlice(node: Node, lifting: Lifting): Call {
  const [x = null] = node.inputs;
  const axes = getInts(node, "axes");
  const inputs = [
    x,
    lifting.int64s(exact(node, "starts"), "starts"),
    lifting.int64s(exact(node, "ends"), "ends"),
    ...(axes === undefined ? [] : [lifting.int64s(axes, "axes")]),
  ];
  return { ...drop(node, "starts", "ends", "axes"), inputs };
}

/** Not saturated: INT64_MAX as "to the end" stays what it is. */
function exact(node: Node, name: string): readonly bigint[] {
  const attribute = node.attributes.get(name);
  if (attribute?.kind === "ints") return attribute.value;
  throw new AppError("model-malformed", `${describe(node)}: it has no list of integers "${name}"`);
}

/** Sizes became an input in opset 13; without them opset 18 wants the number of parts. */
function liftSplit(node: Node, lifting: Lifting): Call {
  const [x = null, sizes = null] = node.inputs;
  const split = getInts(node, "split");
  if (split !== undefined) return { ...drop(node, "split"), inputs: [x, lifting.int64s(split, "split")] };
  return sizes === null ? { ...set(node, { num_outputs: int(node.outputs.length) }), inputs: [x] } : node;
}

function liftTopK(node: Node, lifting: Lifting): Call {
  const [x = null] = node.inputs;
  return { ...drop(node, "k"), inputs: [x, lifting.int64s([getInt(node, "k", 1)], "k")] };
}
