/** @file Matrix products. */
import { float, int, string } from "../../../shared/graph/attributes.ts";
import type { Shape } from "../../../shared/graph/ir.ts";
import type { GradientCase } from "../../support/check-gradient.ts";
import { type Cases, op, withWeights } from "./case.ts";

const scales = { alpha: float(0.75), beta: float(1.25) };
const einsum = (equation: string, ...inputs: Shape[]): GradientCase => ({
  inputs,
  build: op("Einsum", { equation: string(equation) }),
});

export const linear: Cases = {
  Gemm: { inputs: [[3, 4]], build: withWeights("Gemm", [[4, 2], [2]]) },
  "Gemm, no C": { inputs: [[3, 4]], build: withWeights("Gemm", [[4, 2]]) },
  "Gemm, B transposed": { inputs: [[3, 4]], build: withWeights("Gemm", [[2, 4], [2]], { ...scales, transB: int(1) }) },
  "Gemm, A transposed": { inputs: [[4, 3]], build: withWeights("Gemm", [[4, 2], [2]], { ...scales, transA: int(1) }) },
  "Gemm, both transposed": {
    inputs: [[4, 3]],
    build: withWeights("Gemm", [[2, 4], [2]], { ...scales, transA: int(1), transB: int(1) }),
  },
  "Gemm, neither transposed, scaled": {
    inputs: [[3, 4]],
    build: withWeights(
      "Gemm",
      [
        [4, 2],
        [3, 2],
      ],
      scales,
    ),
  },
  "Gemm, C a column": {
    inputs: [[3, 4]],
    build: withWeights(
      "Gemm",
      [
        [4, 2],
        [3, 1],
      ],
      scales,
    ),
  },
  "Gemm, C a row": {
    inputs: [[3, 4]],
    build: withWeights(
      "Gemm",
      [
        [4, 2],
        [1, 2],
      ],
      scales,
    ),
  },
  "Gemm, C a scalar": { inputs: [[3, 4]], build: withWeights("Gemm", [[4, 2], []], scales) },
  "Gemm, two data operands": {
    inputs: [
      [3, 4],
      [4, 2],
    ],
    build: op("Gemm"),
  },
  "Gemm, symbolic batch": { inputs: [["N", 4]], build: withWeights("Gemm", [[2, 4], [2]], { transB: int(1) }) },
  "Gemm, symbolic batch, C stretched from one row": {
    inputs: [["N", 4]],
    build: withWeights("Gemm", [
      [4, 2],
      [1, 2],
    ]),
  },
  MatMul: {
    inputs: [
      [2, 4],
      [4, 3],
    ],
    build: op("MatMul"),
  },
  "MatMul, shared weights": { inputs: [[2, 3, 4]], build: withWeights("MatMul", [[4, 5]]) },
  "MatMul, shared weights, rank 4": { inputs: [[2, 2, 3, 4]], build: withWeights("MatMul", [[4, 2]]) },
  "MatMul, weights on the left": { inputs: [[2, 3, 4]], build: ({ g, weight }, x) => g.matmul(weight([5, 3]), x) },
  "MatMul, batched": {
    inputs: [
      [2, 3, 4, 5],
      [2, 3, 5, 2],
    ],
    build: op("MatMul"),
  },
  "MatMul, left batch stretched": {
    inputs: [
      [2, 1, 4, 5],
      [3, 5, 2],
    ],
    build: op("MatMul"),
  },
  "MatMul, right batch stretched": {
    inputs: [
      [2, 3, 4, 5],
      [1, 5, 2],
    ],
    build: op("MatMul"),
  },
  "MatMul, vector on the right": { inputs: [[2, 3, 4], [4]], build: op("MatMul") },
  "MatMul, vector on the left": { inputs: [[4], [2, 4, 3]], build: op("MatMul") },
  "MatMul, vector by matrix": { inputs: [[4], [4, 3]], build: op("MatMul") },
  "MatMul, matrix by vector": { inputs: [[3, 4], [4]], build: op("MatMul") },
  "MatMul, two vectors": { inputs: [[4], [4]], build: op("MatMul") },
  "MatMul, vector weight on stacked rows": { inputs: [["N", 3, 4]], build: withWeights("MatMul", [[4]]) },
  "MatMul, one row in every batch entry": {
    inputs: [
      [2, 1, 4],
      [4, 3],
    ],
    build: op("MatMul"),
  },
  "MatMul, symbolic batch, shared weights": { inputs: [["N", 3, 4]], build: withWeights("MatMul", [[4, 5]]) },
  "MatMul, symbolic batch, two data operands": {
    inputs: [
      ["N", 2, 4],
      ["N", 4, 3],
    ],
    build: op("MatMul"),
  },
  "Einsum, queries by keys": einsum("bhid,bhjd->bhij", [1, 2, 3, 4], [1, 2, 5, 4]),
  "Einsum, weights by values": einsum("bhij,bhjd->bhid", [1, 2, 3, 5], [1, 2, 5, 4]),
  "Einsum, projection": einsum("bnc,ck->bnk", [2, 3, 4], [4, 5]),
  "Einsum, symbolic batch": einsum("bhid,bhjd->bhij", ["N", 2, 3, 4], ["N", 2, 5, 4]),
  "Einsum, an index summed away": einsum("ij->j", [3, 4]),
  "Einsum, everything summed": einsum("ij->", [3, 4]),
  "Einsum, an index only one operand has": einsum("ij,k->ik", [3, 4], [2]),
  "Einsum, transpose": einsum("ijk->kij", [2, 3, 4]),
  "Einsum, output in alphabetical order": einsum("ba", [2, 3]),
  "Einsum, implicit product": einsum("ij,jk", [2, 3], [3, 4]),
  "Einsum, three operands": einsum("ij,jk,kl->il", [2, 3], [3, 4], [4, 2]),
  "Einsum, outer product": einsum("i,j->ij", [3], [4]),
  "Einsum, diagonal": einsum("ii->i", [4, 4]),
  "Einsum, trace": einsum("ii->", [4, 4]),
  "Einsum, diagonal of a batch": einsum("bij,bjj->bi", [2, 3, 3], [2, 3, 3]),
  "Einsum, ellipsis": einsum("...ij,...jk->...ik", [2, 3, 4], [2, 4, 2]),
  "Einsum, ellipsis of two ranks": einsum("...ij,jk->...ik", [2, 3, 4], [4, 2]),
  "Einsum, ellipsis stretched": einsum("...ij,...jk->...ik", [1, 3, 4], [2, 4, 2]),
};
