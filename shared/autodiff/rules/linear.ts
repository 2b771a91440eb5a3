/** @file Rules of matrix products. */
import { float, getFloat, getInt, getString, int } from "../../graph/attributes.ts";
import { dtypeOf, extent, type GraphBuilder, rankOf, shapeOf } from "../../graph/builder.ts";
import { constantOf } from "../../graph/constant.ts";
import type { Dim, Value } from "../../graph/ir.ts";
import { cannotDifferentiate, type RuleTable, rule } from "../vjp.ts";

const swapLast = (g: GraphBuilder, v: Value): Value => {
  const rank = rankOf(v);
  return g.transpose(
    v,
    Array.from({ length: rank }, (_, i) => (i < rank - 2 ? i : 2 * rank - 3 - i)),
  );
};

export const linear = {
  // Y = A B:  dA = dY B^T,  dB = A^T dY. A vector is a row (left) or a column (right) that loses its axis again.
  MatMul: rule(({ g, x, dy }) => {
    const [row, column] = [rankOf(x(0)) === 1, rankOf(x(1)) === 1];
    const unsqueeze = (v: Value, axis: number): Value => g.node("Unsqueeze", [v, g.int64([axis])]);
    const a = row ? unsqueeze(x(0), 0) : x(0);
    const b = column ? unsqueeze(x(1), 1) : x(1);
    let d = dy;
    if (column) d = unsqueeze(d, -1);
    if (row) d = unsqueeze(d, -2);
    return [
      () => dropped(g, g.matmul(d, swapLast(g, b)), -2, row),
      () => {
        // Shared weights: one product over all rows instead of one per batch entry and a sum.
        if (rankOf(b) === 2 && rankOf(a) > 2) {
          const rows = (v: Value): Value => g.reshape(v, [-1, extent(v, -1)]);
          return g.reshapeLike(g.node("Gemm", [rows(a), rows(d)], { transA: int(1) }), x(1));
        }
        return dropped(g, g.matmul(swapLast(g, a), d), -1, column);
      },
    ];
  }),

  // Y = alpha A' B' + beta C, ' being an optional transpose
  Gemm: rule(({ g, node, x, dy }) => {
    const [tA, tB] = [getInt(node, "transA", 0), getInt(node, "transB", 0)];
    const alpha = getFloat(node, "alpha", 1);
    const gemm = (a: Value, b: Value, transA: number, transB: number): Value =>
      g.node("Gemm", [a, b], { alpha: float(alpha), transA: int(transA), transB: int(transB) });
    return [
      () => (tA ? gemm(x(1), dy, tB, 1) : gemm(dy, x(1), 0, 1 - tB)),
      () => (tB ? gemm(dy, x(0), 1, tA) : gemm(x(0), dy, 1 - tA, 0)),
      () => g.scale(dy, getFloat(node, "beta", 1)), // the sweep sums over what C was broadcast to
    ];
  }),

  Einsum: rule(({ g, node, dy }) => {
    const equation = parse(
      getString(node, "equation", ""),
      node.inputs.map((v) => (v === null ? 0 : rankOf(v))),
    );
    if (equation === null) throw cannotDifferentiate(node, "its equation is not understood");
    return node.inputs.map((_, i) => () => einsumGradient(g, equation, node.inputs, dy, i));
  }),
} satisfies RuleTable;

/** Drops the axis a vector was given. Broadcast batch axes are summed by the sweep, which compares shapes. */
const dropped = (g: GraphBuilder, d: Value, axis: number, given: boolean): Value =>
  given ? g.node("Squeeze", [d, g.int64([axis])]) : d;

interface Equation {
  readonly terms: readonly string[];
  readonly output: string;
}

/** Letters for the axes an ellipsis stands for: upper case, which equations rarely use. */
const ellipsisLetters = "ZYXWVUTS";

function parse(text: string, ranks: readonly number[]): Equation | null {
  const [left = "", right] = text.replaceAll(" ", "").split("->");
  const raw = left.split(",");
  if (raw.length !== ranks.length) return null;
  const broadcast = raw.map((t, i) => (t.includes("...") ? (ranks[i] ?? 0) - (t.length - 3) : 0));
  const most = Math.max(0, ...broadcast);
  if (most > ellipsisLetters.length) return null;
  const letters = ellipsisLetters.slice(0, most);
  const terms = raw.map((t, i) => t.replace("...", letters.slice(most - (broadcast[i] ?? 0))));
  const once = [...new Set(left.replaceAll(/[,.]/g, ""))]
    .filter((c) => left.split(c).length === 2)
    .sort()
    .join("");
  return { terms, output: right === undefined ? letters + once : right.replace("...", letters) };
}

/**
 * The adjoint of an einsum in operand i is an einsum of dy with the other operands. An index only operand i has was
 * summed over: its gradient is the same along it. An index repeated in it (a trace) has a gradient on the diagonal
 * only.
 */
function einsumGradient(
  g: GraphBuilder,
  { terms, output }: Equation,
  inputs: readonly (Value | null)[],
  dy: Value,
  i: number,
): Value {
  const term = terms[i] ?? "";
  const operand = inputs[i];
  if (!operand) throw new TypeError("no such operand");
  const others = terms.flatMap((t, j) => (j === i ? [] : [{ t, v: inputs[j] }]));
  const distinct = [...new Set(term)];
  const available = distinct.filter((c) => output.includes(c) || others.some(({ t }) => t.includes(c)));
  const equation = [output, ...others.map(({ t }) => t)].join() + "->" + available.join("");
  const values = [dy, ...others.map(({ v }) => v ?? null)];
  const d = g.node("Einsum", values, { equation: { kind: "string", value: equation } });
  const extentOf = (c: string): Dim => shapeOf(operand)[term.indexOf(c)] ?? 1;
  if (available.length === term.length) return d;
  // Insert the missing axes, expand, and spread repeated ones over the diagonal.
  const missing = distinct.flatMap((c, at) => (available.includes(c) ? [] : [at]));
  const whole = missing.length === 0 ? d : g.node("Unsqueeze", [d, g.int64(missing)]);
  let result = whole;
  let letters = distinct;
  for (let at = 0; at < term.length; at++) {
    const c = term[at] ?? "";
    if (letters[at] === c && term.indexOf(c) === at) continue;
    const size = extentOf(c);
    if (typeof size !== "number") throw new TypeError(`a trace over the symbolic extent "${size}"`);
    const first = term.indexOf(c);
    const eye = Float64Array.from({ length: size * size }, (_, k) => (k % (size + 1) === 0 ? 1 : 0));
    const shape = Array.from({ length: letters.length + 1 }, (_, k) => (k === first || k === at ? size : 1));
    const mask = g.constant(constantOf(dtypeOf(d), shape, eye));
    result = g.mul(g.node("Unsqueeze", [result, g.int64([at])]), mask);
    letters = [...letters.slice(0, at), c, ...letters.slice(at)];
  }
  return result;
}
