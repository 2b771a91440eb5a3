/**
 * @file Results so far, kept on disk: a line an item, only ever added to. A run that was killed leaves at most one torn
 * last line, which is left out when the next one reads the file.
 */
import { type FileHandle, mkdir, open, readFile } from "node:fs/promises";
import path from "node:path";
import { AppError } from "../../../shared/errors.ts";
import { reason, sha256 } from "../files.ts";

/** The numbers of one map: a point, a correlation, overlaps ...; null where there are none. */
export type Cell = readonly number[] | null;

export interface Journal {
  /** Items known when it was opened. */
  readonly known: number;
  /** The cells of an item, or undefined where it has not been done. */
  find(key: string): readonly Cell[] | undefined;
  add(key: string, cells: readonly Cell[]): Promise<void>;
  close(): Promise<void>;
}

/** Written into every line: files of another form are not read as this one. */
const VERSION = 1;

/** The key of an item: everything its numbers depend on. */
export const itemKey = (parts: Readonly<Record<string, unknown>>): string =>
  sha256(new TextEncoder().encode(JSON.stringify(parts)));

/** Opens or begins the journal. Throws `not-found` where it cannot be written. */
export async function openJournal(file: string): Promise<Journal> {
  const items = new Map<string, readonly Cell[]>();
  let handle: FileHandle;
  try {
    await mkdir(path.dirname(file), { recursive: true });
    const text = await readFile(file, "utf8").catch(() => "");
    for (const line of text.split("\n")) readLine(line, items);
    handle = await open(file, "a");
    // What follows a torn line must not become part of it.
    if (text !== "" && !text.endsWith("\n")) await handle.write("\n");
  } catch (cause) {
    throw new AppError("not-found", `cannot write the journal "${file}": ${reason(cause)}`, { file }, { cause });
  }
  return {
    known: items.size,
    find: (key) => items.get(key),
    add: async (key, cells) => {
      items.set(key, cells);
      await handle.write(`${JSON.stringify({ v: VERSION, key, cells })}\n`);
    },
    close: () => handle.close(),
  };
}

/** Adds the item of a line; a line that is torn, or of another form, is nobody's. */
function readLine(line: string, items: Map<string, readonly Cell[]>): void {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return;
  }
  if (typeof value !== "object" || value === null || !("v" in value) || value.v !== VERSION) return;
  if (!("key" in value) || typeof value.key !== "string" || !("cells" in value) || !isCells(value.cells)) return;
  items.set(value.key, value.cells);
}

const isCells = (value: unknown): value is readonly Cell[] =>
  Array.isArray(value) &&
  value.every((cell) => cell === null || (Array.isArray(cell) && cell.every((n) => typeof n === "number")));
