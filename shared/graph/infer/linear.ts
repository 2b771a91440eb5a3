/** @file Rows of matrix products: MatMul, Gemm, Einsum, Attention. */
import { getInt, getString } from "../attributes.ts";
import { conflict } from "../dims.ts";
import type { Dim, DType, Node, Shape } from "../ir.ts";
import {
  broadcastShapes,
  each,
  expectOneType,
  expectRank,
  input,
  malformed,
  named,
  optional,
  present,
  type Row,
  type Table,
  type Typed,
  tensor,
} from "./row.ts";

const matmul =
  (dtype?: DType): Row =>
  (node) => {
    const [a, b] = [input(node, 0), input(node, 1)];
    expectRank(node, a, 1, Number.POSITIVE_INFINITY);
    expectRank(node, b, 1, Number.POSITIVE_INFINITY);
    if (dtype === undefined) expectOneType(node, [a, b]);
    // A vector is a row on the left, a column on the right, and that axis is dropped again.
    const left: Shape = a.type.shape.length === 1 ? [1, ...a.type.shape] : a.type.shape;
    const right: Shape = b.type.shape.length === 1 ? [...b.type.shape, 1] : b.type.shape;
    if (conflict(left.at(-1), right.at(-2))) {
      throw malformed(node, `${named(a)} has ${left.at(-1)} columns, ${named(b)} has ${right.at(-2)} rows`);
    }
    const batch = broadcastShapes([left.slice(0, -2), right.slice(0, -2)], () =>
      malformed(node, `the batch axes of ${named(a)} and ${named(b)} do not broadcast`),
    );
    const rows = a.type.shape.length === 1 ? [] : left.slice(-2, -1);
    const columns = b.type.shape.length === 1 ? [] : right.slice(-1);
    return [tensor(dtype ?? a.type.dtype, [...batch, ...rows, ...columns])];
  };

const gemm: Row = (node) => {
  const [a, b] = [input(node, 0), input(node, 1)];
  expectRank(node, a, 2);
  expectRank(node, b, 2);
  expectOneType(node, present(node));
  const [rows = 1, inner = 1] = getInt(node, "transA", 0) === 0 ? a.type.shape : a.type.shape.toReversed();
  const [depth = 1, columns = 1] = getInt(node, "transB", 0) === 0 ? b.type.shape : b.type.shape.toReversed();
  if (conflict(inner, depth)) {
    throw malformed(node, `the input ${named(a)} gives ${inner} features, the weight ${named(b)} takes ${depth}`);
  }
  const c = optional(node, 2);
  const failed = () => malformed(node, `${named(c ?? a)} does not broadcast to the product [${rows},${columns}]`);
  const full = c ? broadcastShapes([[rows, columns], c.type.shape], failed) : [];
  if (full.length > 2 || (full.length === 2 && (conflict(full[0], rows) || conflict(full[1], columns)))) throw failed();
  return [tensor(a.type.dtype, [rows, columns])];
};

/** `bij,bjk->bik`, with the ellipsis standing for as many axes as the operand has besides. */
const einsum: Row = (node) => {
  const equation = getString(node, "equation", "").replace(/\s/g, "");
  const [left = "", right] = equation.split("->");
  const terms = left.split(",");
  const operands = present(node);
  if (terms.length !== operands.length) {
    throw malformed(node, `the equation "${equation}" has ${terms.length} operands, the node ${operands.length}`);
  }
  const extents = new Map<string, Dim>();
  const ellipses: Shape[] = [];
  operands.forEach((operand, i) => {
    const { letters, ellipsis } = match(node, operand, terms[i] ?? "");
    if (ellipsis) ellipses.push(ellipsis);
    for (const [letter, dim] of letters) {
      const known = extents.get(letter) ?? 1;
      if (known !== 1 && dim !== 1 && conflict(known, dim)) {
        throw malformed(node, `"${letter}" of the equation "${equation}" is both ${known} and ${dim}`);
      }
      if (known === 1) extents.set(letter, dim);
    }
  });
  const failed = () => malformed(node, `the axes under "..." of the equation "${equation}" do not broadcast`);
  const shared = broadcastShapes(ellipses, failed);
  const [before = "", after] = (right ?? implicitOutput(left)).split("...");
  const dims = (letters: string): Shape =>
    [...letters].map((letter) => {
      const dim = extents.get(letter);
      if (dim === undefined) throw malformed(node, `"${letter}" of the equation "${equation}" is in no operand`);
      return dim;
    });
  const shape = after === undefined ? dims(before) : [...dims(before), ...shared, ...dims(after)];
  return [tensor(input(node, 0).type.dtype, shape)];
};

/** Which axis of an operand each letter of its term names, and the axes under the ellipsis, if it has one. */
function match(node: Node, operand: Typed, term: string) {
  const { shape } = operand.type;
  const [before = "", after] = term.split("...");
  const free = shape.length - before.length - (after?.length ?? 0);
  if (free < 0 || (after === undefined && free > 0)) {
    throw malformed(node, `${named(operand)} does not fit "${term}" of the equation`);
  }
  const under = shape.slice(before.length, before.length + free);
  const others = shape.toSpliced(before.length, free);
  const letters = [...before, ...(after ?? "")].map((letter, i) => [letter, others[i] ?? 1] as const);
  return { letters, ellipsis: after === undefined ? undefined : under };
}

/** Without an arrow: the ellipsis, then the letters that occur once, in alphabetical order. */
function implicitOutput(left: string): string {
  const letters = [...left.replace(/[.,]/g, "")];
  const once = letters.filter((l) => letters.indexOf(l) === letters.lastIndexOf(l)).sort();
  return (left.includes("...") ? "..." : "") + once.join("");
}

/** Attention of opset 23: the query's tokens, the value's width. Caches and scores are not inferred. */
const attention: Row = (node) => {
  const [q, v] = [input(node, 0), input(node, 2)];
  const { dtype, shape } = q.type;
  const width = v.type.shape.at(-1) ?? 1;
  if (shape.length === 4) return [tensor(dtype, [...shape.slice(0, 3), width])];
  expectRank(node, q, 3);
  const [queryHeads, keyHeads] = [getInt(node, "q_num_heads", 1), getInt(node, "kv_num_heads", 1)];
  return typeof width === "number"
    ? [tensor(dtype, [...shape.slice(0, 2), (width / keyHeads) * queryHeads])]
    : undefined;
};

export const linear: Table = {
  MatMul: matmul(),
  MatMulInteger: matmul("int32"),
  Gemm: gemm,
  Einsum: einsum,
  ...each(["Attention"], attention),
  Det: (node) => [tensor(input(node, 0).type.dtype, input(node, 0).type.shape.slice(0, -2))],
};
