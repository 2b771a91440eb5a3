/** @file The sprites scenes are put together from: what they are, and reading the committed sheets. Draws nothing. */
import { readFile } from "node:fs/promises";
import { AppError } from "../../shared/errors.ts";
import type { RgbaPixels } from "../../shared/imaging/codecs.ts";
import { nodeCodecs } from "../../shared/runtime/node-codecs.ts";
import { classes } from "./classes.ts";
import { levelsOf, type Sprite } from "./sprite.ts";

/** Drawn pictures of one hand; those of a held-out style never occur in scenes for training. */
export interface Style {
  readonly name: string;
  readonly heldOut: boolean;
}

export interface Atlas {
  readonly styles: readonly Style[];
  readonly sprites: readonly Sprite[];
}

/** One sprite of a sheet, as the index has it. */
export interface SpriteEntry {
  /** Its class's name, or null. */
  readonly class: string | null;
  readonly design: string;
}

/** The file atlas.json: which sprite lies where. Sheets are filled row by row. */
export interface AtlasIndex {
  readonly side: number;
  readonly columns: number;
  readonly styles: readonly (Style & { readonly file: string; readonly sprites: readonly SpriteEntry[] })[];
}

/** Where the sheets and their index lie. */
export const atlasFolder: URL = new URL("./atlas/", import.meta.url);

async function readAsset(name: string): Promise<Buffer> {
  return readFile(new URL(name, atlasFolder)).catch((cause: unknown) => {
    const message = `cannot read the demo's sprites "${name}": get the file from the repository again`;
    throw new AppError("not-found", message, { name }, { cause });
  });
}

function cut(sheet: RgbaPixels, index: number, { side, columns }: AtlasIndex): Uint8Array {
  const left = (index % columns) * side;
  const top = Math.floor(index / columns) * side;
  const data = new Uint8Array(side * side * 4);
  for (let i = 0; i < side * side; i++) {
    const from = ((top + Math.floor(i / side)) * sheet.width + left + (i % side)) * 4;
    const alpha = sheet.data[from + 3]!;
    for (let c = 0; c < 3; c++) data[i * 4 + c] = Math.round((sheet.data[from + c]! * alpha) / 255);
    data[i * 4 + 3] = alpha;
  }
  return data;
}

/** Reads the committed sheets (about 0.2 s). Throws `not-found` where one is missing. */
export async function loadAtlas(): Promise<Atlas> {
  // The index is committed with this code and the tests read every entry of it.
  const index = JSON.parse((await readAsset("atlas.json")).toString("utf8")) as AtlasIndex;
  const classIndices = new Map(classes.map(({ name }, i) => [name, i]));
  const sprites: Sprite[] = [];
  for (const { name, file, sprites: entries } of index.styles) {
    const sheet = await nodeCodecs().decodeWebp(await readAsset(file));
    entries.forEach((entry, i) => {
      const classIndex = entry.class === null ? null : (classIndices.get(entry.class) ?? null);
      const levels = levelsOf({ side: index.side, data: cut(sheet, i, index) });
      sprites.push({ style: name, design: entry.design, classIndex, levels });
    });
  }
  return { styles: index.styles.map(({ name, heldOut }) => ({ name, heldOut })), sprites };
}
