/** @file MatMul, Gemm and Einsum. */
import { getFloat, getInt, getString } from "../../../shared/graph/attributes.ts";
import {
  broadcast,
  broadcastDims,
  element,
  forEachIndex,
  generate,
  get,
  input,
  type Operator,
  type Operators,
  scalar,
  type Tensor,
} from "./tensor.ts";

/** NumPy's matmul: a vector is a row on the left and a column on the right; leading axes broadcast. */
function matMul(a: Tensor, b: Tensor): Tensor {
  const left = a.dims.length === 1 ? { ...a, dims: [1, ...a.dims] } : a;
  const right = b.dims.length === 1 ? { ...b, dims: [...b.dims, 1] } : b;
  const batch = broadcastDims([left.dims.slice(0, -2), right.dims.slice(0, -2)]);
  const [rows, inner] = [get(left.dims, left.dims.length - 2), get(left.dims, left.dims.length - 1)];
  const columns = get(right.dims, right.dims.length - 1);
  if (get(right.dims, right.dims.length - 2) !== inner) throw new RangeError(`[${a.dims}] x [${b.dims}]`);
  const l = broadcast(left, [...batch, rows, inner]).data;
  const r = broadcast(right, [...batch, inner, columns]).data;
  const dims = [...batch, ...(a.dims.length === 1 ? [] : [rows]), ...(b.dims.length === 1 ? [] : [columns])];
  let at = 0;
  return generate(dims, () => {
    const column = at % columns;
    const row = Math.floor(at / columns) % rows;
    const n = Math.floor(at / columns / rows);
    at += 1;
    let sum = 0;
    for (let k = 0; k < inner; k++)
      sum += get(l, (n * rows + row) * inner + k) * get(r, (n * inner + k) * columns + column);
    return sum;
  });
}

/** alpha A' B' + beta C. */
const gemm: Operator = (call) => {
  const [a, b, c] = [input(call, 0), input(call, 1), call.inputs[2] ?? scalar(0)];
  const [transA, transB] = [getInt(call.node, "transA", 0) !== 0, getInt(call.node, "transB", 0) !== 0];
  const alpha = getFloat(call.node, "alpha", 1);
  const beta = getFloat(call.node, "beta", 1);
  const dims = [get(a.dims, transA ? 1 : 0), get(b.dims, transB ? 0 : 1)];
  const inner = get(a.dims, transA ? 0 : 1);
  if (get(b.dims, transB ? 1 : 0) !== inner) throw new RangeError(`Gemm of [${a.dims}] and [${b.dims}]`);
  const bias = broadcast(c, dims);
  return generate(dims, ([i = 0, j = 0]) => {
    let sum = 0;
    for (let k = 0; k < inner; k++) sum += element(a, transA ? [k, i] : [i, k]) * element(b, transB ? [j, k] : [k, j]);
    return alpha * sum + beta * element(bias, [i, j]);
  });
};

/** One letter an axis; the axes of an ellipsis get the letters "0", "1", ... counted from the last one backwards. */
function letters(term: string, rank: number): string[] {
  const [before = "", after] = term.split("...");
  if (after === undefined) return [...before];
  const hidden = rank - before.length - after.length;
  return [...before, ...Array.from({ length: hidden }, (_, i) => String(hidden - 1 - i)), ...after];
}

/** Every output element is a sum, over the letters the output lacks, of products of one element of each operand. */
const einsum: Operator = (call) => {
  const operands = call.inputs.map((_, i) => input(call, i));
  const [left = "", right] = getString(call.node, "equation", "").replaceAll(" ", "").split("->");
  const terms = left.split(",").map((term, i) => letters(term, operands[i]?.dims.length ?? 0));
  const extents = new Map<string, number>();
  terms.forEach((term, i) => {
    term.forEach((letter, axis) => {
      extents.set(letter, Math.max(extents.get(letter) ?? 1, get(operands[i]?.dims ?? [], axis)));
    });
  });
  const all = [...extents.keys()];
  const ellipsis = all.filter((l) => /\d/.test(l)).sort((a, b) => Number(b) - Number(a));
  const once = all.filter((l) => !/\d/.test(l) && terms.flat().filter((m) => m === l).length === 1).sort();
  const kept =
    right === undefined ? [...ellipsis, ...once] : letters(right, right.replace("...", "").length + ellipsis.length);
  const summed = all.filter((l) => !kept.includes(l));
  const extent = (letter: string): number => extents.get(letter) ?? 1;

  return generate(kept.map(extent), (outer) => {
    const where = new Map(kept.map((letter, i) => [letter, get(outer, i)]));
    let sum = 0;
    forEachIndex(summed.map(extent), (inner) => {
      summed.forEach((letter, i) => {
        where.set(letter, get(inner, i));
      });
      sum += operands.reduce((product, operand, i) => {
        const index = (terms[i] ?? []).map((l, axis) => (get(operand.dims, axis) === 1 ? 0 : (where.get(l) ?? 0)));
        return product * element(operand, index);
      }, 1);
    });
    return sum;
  });
};

export const linear: Operators = {
  MatMul: (call) => matMul(input(call, 0), input(call, 1)),
  Gemm: gemm,
  Einsum: einsum,
};
