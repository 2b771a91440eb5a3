/** @file Which of the model's classes an annotation's class means: by a file given, by name, or by number. */
import { AppError } from "../../../shared/errors.ts";
import { fieldsOf, listOf, parseJson } from "../../../shared/evaluation/datasets/annotation.ts";
import { type Labels, resolveTarget } from "../../../shared/models/labels.ts";
import type { FileTree } from "./file-tree.ts";

/** The model's classes that an annotation's class may be, none where the model does not have it. */
export type ClassFinder = (name: string) => readonly number[];

const plain = (text: string): string => text.trim().toLowerCase().replaceAll("_", " ");

/**
 * With a file: JSON, the annotation's class to a class of the model or a list of them, each an index or a name. Without
 * one: the class whose name, or one of whose synonyms, is the very same; or the index a number says. Throws
 * `dataset-invalid` for a malformed file, `spec-invalid` for a class in it that the model does not have.
 */
export async function classFinder(
  file: string | undefined,
  files: Pick<FileTree, "read">,
  labels: Labels | null,
  classes: number | null,
): Promise<ClassFinder> {
  if (file !== undefined) {
    const map = parseClassMap(new TextDecoder().decode(await files.read(file, "class map")), file, labels, classes);
    return (name) => map.get(plain(name)) ?? [];
  }
  const byName = new Map<string, number[]>();
  for (const [i, label] of (labels ?? []).entries()) {
    for (const name of new Set(label.split(",").map(plain))) byName.set(name, [...(byName.get(name) ?? []), i]);
  }
  return (name) => {
    const found = byName.get(plain(name));
    if (found !== undefined) return found;
    const index = /^\d{1,6}$/.test(name) ? Number(name) : Number.NaN;
    return index < (classes ?? labels?.length ?? 0) ? [index] : [];
  };
}

function parseClassMap(
  text: string,
  file: string,
  labels: Labels | null,
  classes: number | null,
): ReadonlyMap<string, readonly number[]> {
  const entries = Object.entries(fieldsOf(parseJson(text, file), file, "it"));
  return new Map(
    entries.map(([name, value]) => {
      const list = Array.isArray(value) ? listOf(value, file, `"${name}"`) : [value];
      return [plain(name), list.map((each) => classOf(each, file, name, labels, classes))];
    }),
  );
}

function classOf(value: unknown, file: string, name: string, labels: Labels | null, classes: number | null): number {
  if (typeof value === "number" || typeof value === "string") return resolveTarget(String(value), labels, classes);
  throw new AppError(
    "dataset-invalid",
    `cannot read the class map "${file}": "${name}" is no class or list of classes`,
  );
}
