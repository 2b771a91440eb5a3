/** @file The shapes a graph's outputs really have: runs it on plain feeds, told nothing of what we inferred. */
import type { DType, Graph } from "../../shared/graph/ir.ts";
import { exportModel } from "../../shared/onnx/export.ts";
import type { Feeds, RunTensor } from "../../shared/runtime/runtime.ts";
import { webRuntime } from "../../shared/runtime/web.ts";

export interface Measured {
  readonly dtype: DType;
  readonly dims: readonly number[];
}

/** Type and extents of every output, by name, in onnxruntime-web. All inputs must have known extents. */
export async function measure(graph: Graph): Promise<ReadonlyMap<string, Measured>> {
  // Outputs without a type: what we inferred must not help the runtime.
  const outputs = graph.outputs.map((v) => ({ ...v, type: undefined }));
  const session = await webRuntime().create(exportModel({ ...graph, outputs }));
  try {
    return new Map(Object.entries(await session.run(feedsFor(graph))));
  } finally {
    await session.release();
  }
}

const feedsFor = (graph: Graph): Feeds =>
  Object.fromEntries(
    graph.inputs.map(({ name, type }) => {
      const dims = type?.shape.map((d) => (typeof d === "number" ? d : Number.NaN)) ?? [];
      return [name, plain(type?.dtype ?? "other", dims)];
    }),
  );

/** Zeros, or ones where the tensor may be an index or a divisor: what is computed does not change a shape. */
function plain(dtype: DType, dims: readonly number[]): RunTensor {
  const length = dims.reduce((n, d) => n * d, 1);
  switch (dtype) {
    case "float32":
      return { dtype, dims, data: new Float32Array(length) };
    case "float16":
      return { dtype, dims, data: new Uint16Array(length) };
    case "int64":
      return { dtype, dims, data: new BigInt64Array(length).fill(1n) };
    case "uint64":
      return { dtype, dims, data: new BigUint64Array(length).fill(1n) };
    case "uint8":
    case "bool":
      return { dtype, dims, data: new Uint8Array(length).fill(1) };
    default:
      throw new TypeError(`no plain tensor of ${dtype}`);
  }
}
