/** @file ValueInfoProto to tensor type and back. */
import { AppError } from "../errors.ts";
import { dataTypeCode, dtypeOfCode } from "../graph/constant.ts";
import type { Dim, Shape, TensorType, Value } from "../graph/ir.ts";
import type { TypeProto, ValueInfoProto } from "./schema.ts";

/** What converters write for "unknown": two of these are not the same dimension. */
const anonymous: ReadonlySet<string> = new Set(["", "?", "*", "-1", "None", "none", "unk", "unknown"]);

/** Gives each dimension without a name its own, free in the model. */
export type FreshDim = (hint: string) => string;

/** The declared type; undefined where it has none, no rank, or is not a dense tensor. */
export function typeOfValueInfo(info: ValueInfoProto, fresh: FreshDim): TensorType | undefined {
  const tensor = info.type?.tensor_type;
  const code = tensor?.elem_type ?? 0n;
  if (tensor?.shape === undefined || code === 0n) return undefined;
  return { dtype: dtypeOfCode(Number(code)), shape: shapeOf(tensor.shape.dim ?? [], info.name ?? "", fresh) };
}

function shapeOf(
  dims: readonly { dim_value?: bigint | undefined; dim_param?: string | undefined }[],
  name: string,
  fresh: FreshDim,
): Shape {
  return dims.map((dim, axis): Dim => {
    const extent = Number(dim.dim_value ?? 0n);
    if (extent > 0) return extent;
    const symbol = dim.dim_param?.trim() ?? "";
    return anonymous.has(symbol) ? fresh(`${name}.${axis}`) : symbol;
  });
}

/** The type of what a caller feeds: must be a tensor of known rank. */
export function typeOfInput(info: ValueInfoProto, fresh: FreshDim): TensorType {
  const name = info.name ?? "";
  const fail = (code: "model-malformed" | "model-unsupported", why: string): never => {
    throw new AppError(code, `the model's input "${name}" ${why}`, { input: name });
  };
  if (info.type === undefined) return fail("model-malformed", "has no type");
  const tensor = info.type.tensor_type;
  if (tensor === undefined) {
    return fail("model-unsupported", "is no tensor (a sequence, map or optional): only tensors can be fed");
  }
  if (dtypeOfCode(Number(tensor.elem_type ?? 0n)) === "other") {
    return fail("model-unsupported", `has the element type ${tensor.elem_type ?? 0n}, which cannot be fed`);
  }
  return (
    typeOfValueInfo(info, fresh) ??
    fail("model-unsupported", "declares no shape, not even a rank: export the model with the shapes of its inputs")
  );
}

/** How a graph's input or output is declared; an unknown type is left out, and the runtime infers it. */
export function valueInfoOf({ name, type }: Value): ValueInfoProto {
  if (type === undefined || type.dtype === "other") return { name };
  const dim = type.shape.map((d) => (typeof d === "number" ? { dim_value: BigInt(d) } : { dim_param: d }));
  const proto: TypeProto = { tensor_type: { elem_type: BigInt(dataTypeCode(type.dtype)), shape: { dim } } };
  return { name, type: proto };
}
