/** @file Small things several commands print or check alike. */
import { AppError } from "../../shared/errors.ts";
import type { Shape } from "../../shared/graph/ir.ts";

/** The file of `-o`, or an error that asks for one. */
export function outputFile(file: string | undefined): string {
  if (file !== undefined && file !== "") return file;
  throw new AppError("spec-invalid", "-o FILE says where to write the model, and was not given");
}

export const shapeText = (shape: Shape | undefined): string => (shape === undefined ? "[?]" : `[${shape.join(", ")}]`);
