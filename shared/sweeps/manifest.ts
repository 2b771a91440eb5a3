/**
 * @file Manifests: which images a sweep is over, line by line, JSONL or CSV. A bad line is an item that fails with its
 * line number; it stops nothing.
 *
 *   {"key": "images/a.jpg", "class": 285, "boxes": [[10, 20, 100, 80]], "name": "cat"}
 *   key,class,boxes,name
 *   images/a.jpg,285,"10 20 100 80; 5 5 20 20",cat
 */
import { AppError, messageOf } from "../errors.ts";
import { isImageKey } from "../pipeline/layout.ts";
import type { SweepItem } from "./records.ts";

/** A line has a key of up to 1,024 bytes and some boxes. */
export const lineBytesMax = 16_000;
/** Boxes of one class on one image. */
const boxesMax = 500;

export type ManifestFormat = "jsonl" | "csv";

export const formatOf = (key: string): ManifestFormat => (/\.csv$/i.test(key) ? "csv" : "jsonl");

class LineProblem extends Error {}

/** Reads lines in order; the first of a CSV names its columns. */
export function lineReader(format: ManifestFormat): (line: string, number: number) => SweepItem | null {
  let columns: readonly string[] | null = null;
  return (line, number) => {
    const text = number === 1 ? line.replace(/^\uFEFF/, "") : line;
    if (text.trim() === "") return null;
    try {
      if (text.length > lineBytesMax) throw new LineProblem(`it is longer than ${lineBytesMax} characters`);
      if (format === "jsonl") return itemOf(parseObject(text), number);
      if (columns === null) {
        columns = splitCsv(text).map((name) => name.trim().toLowerCase());
        if (!columns.includes("key")) {
          const why = `the first line of a CSV names its columns, and "key" is not among "${columns.join(", ")}"`;
          throw new AppError("dataset-invalid", `cannot read the manifest: ${why}`);
        }
        return null;
      }
      return itemOf(csvFields(columns, splitCsv(text)), number);
    } catch (error) {
      if (!(error instanceof LineProblem)) throw error;
      return { key: "", etag: null, bytes: null, line: number, problem: `line ${number}: ${error.message}` };
    }
  };
}

function parseObject(text: string): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new LineProblem(`it is not JSON: ${messageOf(error)}`);
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return { ...value };
  throw new LineProblem('it is no object such as {"key": "images/a.jpg"}');
}

function csvFields(columns: readonly string[], cells: readonly string[]): Readonly<Record<string, unknown>> {
  if (cells.length > columns.length) {
    throw new LineProblem(`it has ${cells.length} cells, and there are ${columns.length} columns`);
  }
  const cell = (name: string): string => cells[columns.indexOf(name)]?.trim() ?? "";
  const boxes = cell("boxes")
    .split(";")
    .map((box) => box.trim())
    .filter((box) => box !== "");
  return {
    key: cell("key"),
    ...(cell("class") !== "" && { class: cell("class") }),
    ...(cell("name") !== "" && { name: cell("name") }),
    ...(boxes.length > 0 && { boxes: boxes.map((box) => box.split(/[\s,]+/).map(Number)) }),
  };
}

/** Cells of a line; quotes hold commas, two quotes are one. A cell cannot hold a line break: keys have none. */
function splitCsv(line: string): readonly string[] {
  const cells: string[] = [];
  const cell = /(?:"((?:[^"]|"")*)"|([^",]*))(,|\r?$)/y;
  for (;;) {
    const found = cell.exec(line);
    if (found === null) throw new LineProblem("its quotes do not close");
    cells.push(found[1]?.replaceAll('""', '"') ?? found[2] ?? "");
    if (found[3] !== ",") return cells;
  }
}

function itemOf(fields: Readonly<Record<string, unknown>>, line: number): SweepItem {
  const { key, class: label, boxes, name } = fields;
  if (typeof key !== "string" || key === "") throw new LineProblem('it has no "key"');
  if (!isImageKey(key)) throw new LineProblem(`"${key}" is not below images/`);
  const isClass = (typeof label === "number" && Number.isInteger(label) && label >= 0) || typeof label === "string";
  if (label !== undefined && label !== null && !isClass)
    throw new LineProblem('"class" is neither an index nor a name');
  if (name !== undefined && typeof name !== "string") throw new LineProblem('"name" is no text');
  return {
    key,
    etag: null,
    bytes: null,
    line,
    ...(isClass && { class: String(label) }),
    ...(boxes !== undefined && boxes !== null && { boxes: readBoxes(boxes) }),
    ...(name !== undefined && { name }),
  };
}

function readBoxes(value: unknown): NonNullable<SweepItem["boxes"]> {
  const list: readonly unknown[] = Array.isArray(value) ? value : [];
  if (!Array.isArray(value) || list.length > boxesMax)
    throw new LineProblem(`"boxes" is no list of up to ${boxesMax} boxes`);
  return list.map((box) => {
    const numbers: readonly unknown[] = Array.isArray(box) ? box : [];
    const [x, y, width, height] = numbers;
    const isNumber = (n: unknown): n is number => typeof n === "number" && Number.isFinite(n);
    if (numbers.length === 4 && isNumber(x) && isNumber(y) && isNumber(width) && isNumber(height)) {
      if (width >= 0 && height >= 0) return [x, y, width, height] as const;
    }
    throw new LineProblem("a box is [x, y, width, height] in pixels of the photo");
  });
}

/** Lines of a body as they arrive: no more than one is held. The last one needs no line break. */
export async function* linesOf(body: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  const reader = body.getReader();
  let rest = "";
  let ended = false;
  try {
    while (!ended) {
      const { done, value } = await reader.read();
      ended = done;
      const lines = (rest + decoder.decode(value, { stream: !done })).split("\n");
      rest = lines.pop() ?? "";
      // What has no line break for so long is no manifest: what follows of it is dropped, and its line is bad.
      if (rest.length > 2 * lineBytesMax) rest = rest.slice(0, lineBytesMax + 1);
      for (const line of lines) yield line.replace(/\r$/, "");
    }
    if (rest !== "") yield rest;
  } finally {
    if (!ended) reader.cancel().catch(() => {});
  }
}
