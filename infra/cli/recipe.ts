/** @file A model's card and the class names beside it, read from files. */
import path from "node:path";
import { type CardInfo, readCard } from "../../shared/explanation/card-info.ts";
import { readBytes } from "./files.ts";
import type { ModelFile } from "./model.ts";

/** Reads the model's card and the class names it refers to. Throws `card-invalid`, or `not-found` for a labels file. */
export function readCardInfo(model: ModelFile): Promise<CardInfo> {
  const folder = path.dirname(model.card?.file ?? "");
  return readCard(model.card, model.sha256, async (name) =>
    new TextDecoder().decode(await readBytes(path.resolve(folder, name), "class names")),
  );
}
