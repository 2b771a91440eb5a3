/**
 * @file What both onnxruntime packages have in common: tensors in and out, and the engine's errors made readable. Types
 * only are imported from onnxruntime-web; both packages share them.
 */
import type * as ort from "onnxruntime-web";
import { AppError, messageOf } from "../errors.ts";
import {
  type CreateOptions,
  checkCancelled,
  type Feeds,
  type RunTensor,
  type Session,
  type TensorArrays,
} from "./runtime.ts";

type TensorClass = typeof ort.Tensor;

/** Types read from an engine; the rest (int4 and its like) come in packings we do not know. */
const readable: ReadonlySet<string> = new Set<keyof TensorArrays>([
  "float32",
  "float64",
  "float16",
  "int8",
  "int16",
  "int32",
  "int64",
  "uint8",
  "uint16",
  "uint32",
  "uint64",
  "bool",
  "string",
]);

function toOrt(Tensor: TensorClass, { dtype, data, dims }: RunTensor): ort.Tensor {
  // A union of all pairs does not match any one overload, though each of its members does.
  const make = Tensor as unknown as new (
    type: RunTensor["dtype"],
    data: RunTensor["data"],
    dims: readonly number[],
  ) => ort.Tensor;
  return new make(dtype, data, dims);
}

/** Copies nothing: on the CPU providers the engine has already copied the output out of its heap. */
function fromOrt(name: string, { type, data, dims }: ort.Tensor): RunTensor {
  if (!readable.has(type)) throw new AppError("runtime-failed", `output "${name}" has type ${type}, which is not read`);
  // Where JavaScript has a Float16Array engines give float16 as one, elsewhere as Uint16Array: the bits are the same.
  const bits =
    type === "float16" && ArrayBuffer.isView(data) && !(data instanceof Uint16Array)
      ? new Uint16Array(data.buffer, data.byteOffset, data.byteLength / 2)
      : data;
  return { dtype: type, dims, data: bits } as RunTensor; // the array's class follows from the type
}

/** Makes an engine's session ours. `heapBytes` where the engine has an observable heap. */
export async function wrapSession(
  engine: string,
  Tensor: TensorClass,
  create: () => Promise<ort.InferenceSession>,
  options: Pick<CreateOptions, "label" | "signal"> | undefined,
  heapBytes?: () => number,
): Promise<Session> {
  const label = options?.label ?? "the model";
  checkCancelled(options?.signal, `loading ${label}`);
  const session = await create().catch((cause: unknown) => {
    throw failure(engine, `load ${label}`, cause);
  });
  let released = false;
  const release = async (): Promise<void> => {
    if (released) return;
    released = true;
    await session.release();
  };
  if (options?.signal?.aborted) await release();
  checkCancelled(options?.signal, `loading ${label}`);
  return {
    inputs: session.inputNames,
    outputs: session.outputNames,
    async run(feeds: Feeds, signal?: AbortSignal) {
      checkCancelled(signal, `running ${label}`);
      if (released) throw new TypeError(`${label} was released`);
      checkFeeds(label, session.inputNames, feeds);
      const tensors = Object.fromEntries(Object.entries(feeds).map(([name, t]) => [name, toOrt(Tensor, t)]));
      const results = await session.run(tensors).catch((cause: unknown) => {
        throw failure(engine, `run ${label}`, cause);
      });
      checkCancelled(signal, `running ${label}`);
      return Object.fromEntries(Object.entries(results).map(([name, t]) => [name, fromOrt(name, t)]));
    },
    ...(heapBytes && { heapBytes }),
    release,
  };
}

function checkFeeds(label: string, expected: readonly string[], feeds: Feeds): void {
  const missing = expected.filter((name) => !(name in feeds));
  const unknown = Object.keys(feeds).filter((name) => !expected.includes(name));
  if (missing.length === 0 && unknown.length === 0) return;
  const quote = (names: readonly string[]): string => names.map((n) => `"${n}"`).join(", ");
  const wrong = [
    ...(missing.length > 0 ? [`${quote(missing)} not given`] : []),
    ...(unknown.length > 0 ? [`${quote(unknown)} not an input`] : []),
  ];
  throw new AppError("runtime-failed", `cannot run ${label}: ${wrong.join(", ")}; its inputs are ${quote(expected)}`);
}

/**
 * What to do about an engine's message, by what it says. Order matters: the first that matches. The wasm engine reports
 * an exhausted heap as a bare number, an abort or a RangeError, depending on where it happened.
 */
const hints: readonly (readonly [RegExp, string])[] = [
  [
    /bad_alloc|out of memory|memory access out of bounds|Aborted\(|Array buffer allocation|^\d+$|failed to allocate/i,
    "the engine ran out of memory: use fewer or later layers, a smaller input size, or one image at a time",
  ],
  [/protobuf parsing failed/i, "the bytes are not an ONNX model"],
  [
    /No Op registered|is not a registered function\/op|NOT_IMPLEMENTED|Could not find an implementation/i,
    "this engine does not have that operator",
  ],
  [/Got invalid dimensions|Invalid rank/i, "the input does not have the shape the model declares"],
  [/Unsupported model IR version|opset .* is under development/i, "the model is newer than this engine"],
  [/external data|external initializer/i, "a weights file the model refers to was not given or is too short"],
];

/** The engine's failure as ours: what was attempted, the engine's own words (it names the node), and what to do. */
export function failure(engine: string, attempted: string, cause: unknown): AppError {
  if (cause instanceof AppError) return cause;
  const raw = messageOf(cause);
  const text = raw
    .replace(/^.*ERROR_MESSAGE: /s, "")
    .replace(/\s+/g, " ")
    .replace(/[.\s]+$/, "");
  const hint = hints.find(([pattern]) => pattern.test(raw))?.[1];
  const node = /node[:. ]+(?:name: )?'?"?([^\s'"]+)/i.exec(raw)?.[1];
  return new AppError(
    "runtime-failed",
    `cannot ${attempted} in ${engine}: ${text}${hint === undefined ? "" : `; ${hint}`}`,
    node === undefined ? {} : { node },
    { cause },
  );
}
