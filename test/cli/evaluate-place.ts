/** @file Small datasets in a workplace, and the command that measures maps on them. */
import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { noise, pngOf, type Workplace } from "./workplace.ts";

export const size = { width: 60, height: 40 };
export type Box = readonly [number, number, number, number];

/** VOC's XML of some objects: name, xmin, ymin, xmax, ymax, and whether it is difficult. */
export const voc = (objects: readonly (readonly [string, Box, boolean?])[], { width, height } = size): string =>
  `<annotation><filename>x.png</filename><size><width>${width}</width><height>${height}</height></size>${objects
    .map(
      ([name, [xmin, ymin, xmax, ymax], difficult]) =>
        `<object><name>${name}</name><difficult>${difficult ? 1 : 0}</difficult><bndbox><xmin>${xmin}</xmin>` +
        `<ymin>${ymin}</ymin><xmax>${xmax}</xmax><ymax>${ymax}</ymax></bndbox></object>`,
    )
    .join("")}</annotation>`;

export interface Row {
  readonly [column: string]: string | number | null;
}
export interface Document {
  readonly rows: readonly Row[];
  readonly skipped: Readonly<Record<string, { readonly count: number; readonly what: readonly string[] }>>;
  readonly failures: readonly { readonly what: string; readonly code: string; readonly message: string }[];
}

/** The row that has these values in these columns. */
export const find = (rows: readonly Row[], wanted: Row): Row | undefined =>
  rows.find((row) => Object.entries(wanted).every(([key, value]) => row[key] === value));

/** Writes a folder of noise pictures `0.png`, `1.png` ... and files beside them. */
export async function dataset(
  place: Workplace,
  name: string,
  images: number,
  files: Readonly<Record<string, string | Uint8Array>>,
): Promise<string> {
  const folder = place.at(name);
  mkdirSync(path.join(folder, "images"), { recursive: true });
  for (let i = 0; i < images; i += 1) {
    writeFileSync(path.join(folder, "images", `${i}.png`), await pngOf(noise(size.width, size.height, i + 1)));
  }
  for (const [file, bytes] of Object.entries(files)) {
    mkdirSync(path.dirname(path.join(folder, file)), { recursive: true });
    writeFileSync(path.join(folder, file), bytes);
  }
  return folder;
}

export const model = (place: Workplace): readonly string[] => ["--model", place.at("tiny.onnx"), "--quiet"];

/** Runs the command on the tiny model; `out` is a folder of the workplace. */
export async function evaluate(
  place: Workplace,
  kind: string,
  folder: string,
  out: string,
  ...more: readonly string[]
) {
  const argv = ["evaluate", kind, folder, "--out", place.at(out), "--json", ...model(place), ...more];
  const ran = await place.run(...argv);
  // The document's form is what these tests are about; parsing it as JSON is all the checking there is.
  const document = (ran.out === "" ? { rows: [], skipped: {}, failures: [] } : JSON.parse(ran.out)) as Document;
  return { ...ran, document };
}
