/** @file Runs ONNX bytes in stock onnxruntime-web (wasm, one thread), the runtime all claims of equality are about. */
import * as ort from "onnxruntime-web";
import { volume } from "../../shared/graph/constant.ts";
import type { Graph, Value } from "../../shared/graph/ir.ts";
import { random } from "./random.ts";

ort.env.wasm.numThreads = 1;
ort.env.logLevel = "error";

export interface RunOptions {
  readonly external?: readonly { readonly path: string; readonly data: Uint8Array }[];
}

/** All outputs by name. The session is released. */
export async function runOnnx(
  bytes: Uint8Array,
  feeds: Readonly<Record<string, ort.Tensor>>,
  { external = [] }: RunOptions = {},
): Promise<ReadonlyMap<string, ort.Tensor>> {
  const session = await ort.InferenceSession.create(bytes, {
    executionProviders: ["wasm"],
    logSeverityLevel: 3,
    externalData: [...external],
  });
  try {
    return new Map(Object.entries(await session.run(feeds)));
  } finally {
    await session.release();
  }
}

/** The bits of a tensor as text, for comparisons bit for bit. */
export function bitsOf(tensor: ort.Tensor | undefined): string {
  if (tensor === undefined) return "no tensor";
  const { data } = tensor;
  if (!ArrayBuffer.isView(data)) return JSON.stringify(data);
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString("base64");
}

/** A float32 tensor to feed. */
export const tensorOf = (dims: readonly number[], data: Float32Array): ort.Tensor =>
  new ort.Tensor("float32", data, [...dims]);

/** Random feeds for every input of the graph; symbolic dimensions are given the extent `symbolic`. */
export const randomFeeds = (graph: Graph, seed: number, symbolic = 1): Record<string, ort.Tensor> =>
  Object.fromEntries(graph.inputs.map((input, i) => [input.name, randomTensor(input, seed + i, symbolic)]));

function randomTensor({ name, type }: Value, seed: number, symbolic: number): ort.Tensor {
  if (type === undefined) throw new TypeError(`the input "${name}" has no type`);
  const dims = type.shape.map((d) => (typeof d === "number" ? d : symbolic));
  const next = random(seed);
  const length = volume(dims);
  switch (type.dtype) {
    case "float32":
      return new ort.Tensor(
        "float32",
        Float32Array.from({ length }, () => 2 * next() - 1),
        dims,
      );
    case "float16":
      // Any pattern below that of 1 is a number between 0 and 1.
      return new ort.Tensor(
        "float16",
        Uint16Array.from({ length }, () => Math.floor(next() * 0x3c00)),
        dims,
      );
    default:
      throw new TypeError(`the input "${name}" is ${type.dtype}, which this helper does not draw`);
  }
}
