/** @file Upsample and Resize of older opsets as the Resize of opset 18. */
import { AppError } from "../errors.ts";
import { describe, getFloat, getFloats, getString, string } from "../graph/attributes.ts";
import { constantOf, numbers } from "../graph/constant.ts";
import type { Node, Value } from "../graph/ir.ts";
import type { Call, Lifting } from "./lift-call.ts";

/** Upsample 7 and 9, Resize 10: coordinates without half-pixel shift, nearest in the runtime's own rounding. */
export function liftResize10(node: Node, lifting: Lifting): Call {
  const [x = null, input = null] = node.inputs;
  const scales = input ?? scalesOf(node, lifting);
  const mode = getString(node, "mode", "nearest");
  const attributes = new Map([
    ["mode", string(mode === "nearest" ? "nearest" : "linear")],
    ["coordinate_transformation_mode", string("asymmetric")],
    ["nearest_mode", string(mode === "nearest" ? rounding(node, scales) : "floor")],
  ]);
  return { op: "Resize", inputs: [x, null, scales], attributes };
}

/** Opset 7 has one scale an axis; opset 1 had those of the image's two axes by name. */
function scalesOf(node: Node, lifting: Lifting): Value {
  const scales = getFloats(node, "scales") ?? [
    1,
    1,
    getFloat(node, "height_scale", 0),
    getFloat(node, "width_scale", 0),
  ];
  if (scales.every((s) => s > 0)) return lifting.constant(constantOf("float32", [scales.length], scales), "scales");
  throw new AppError("model-malformed", `${describe(node)}: it has no scales, or not all are positive`);
}

/** onnxruntime rounds these operators' coordinates down where an axis grows and up where it shrinks. */
function rounding(node: Node, scales: Value): "floor" | "ceil" {
  const known = knownNumbers(scales) ?? [];
  const shrinks = known.some((s) => s < 1);
  if (shrinks && known.some((s) => s > 1)) {
    throw new AppError(
      "model-unsupported",
      `${describe(node)}: it enlarges one axis and shrinks another, which has no equal in newer opsets: ` +
        "export the model with opset 11 or newer",
      { node: node.name },
    );
  }
  return shrinks ? "ceil" : "floor";
}

/** Resize 11 and 13: an empty roi or empty scales are how absent ones were written. */
export function liftResize(node: Node): Call {
  if (getString(node, "coordinate_transformation_mode", "") === "tf_half_pixel_for_nn") {
    throw new AppError(
      "model-unsupported",
      `${describe(node)}: the coordinates "tf_half_pixel_for_nn" were removed in opset 13: export the model anew`,
      { node: node.name },
    );
  }
  const [x = null, roi = null, scales = null, ...sizes] = node.inputs;
  return { ...node, inputs: [x, unlessEmpty(roi), unlessEmpty(scales), ...sizes] };
}

const unlessEmpty = (value: Value | null): Value | null => (value?.constant?.dims.includes(0) ? null : value);

/** The elements of a constant as numbers; undefined where it is computed. */
const knownNumbers = (value: Value | null | undefined): readonly number[] | undefined =>
  value?.constant === undefined ? undefined : Array.from(numbers(value.constant));
