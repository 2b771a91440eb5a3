/** @file A report as text: the table, CSV, and the JSON document. */
import { table } from "../terminal.ts";
import type { EvaluateJob } from "./job.ts";
import type { Report, Row } from "./report.ts";

const columnsOf = (rows: readonly Row[]): readonly string[] => [...new Set(rows.flatMap((row) => Object.keys(row)))];

/** Figures with three decimals, intervals beside what they belong to. */
export function tableText(rows: readonly Row[]): string {
  const columns = columnsOf(rows).filter((name) => !/ (low|high)$/.test(name));
  const cell = (row: Row, name: string): string => {
    const [low, high] = [row[`${name} low`], row[`${name} high`]];
    const interval =
      typeof low === "number" && typeof high === "number" ? ` [${numberText(low)}, ${numberText(high)}]` : "";
    const value = row[name];
    return value === null || value === undefined
      ? "-"
      : `${typeof value === "number" ? numberText(value) : value}${interval}`;
  };
  const numeric = columns.flatMap((name, i) => (rows.some((row) => typeof row[name] === "number") ? [i] : []));
  return table([columns, ...rows.map((row) => columns.map((name) => cell(row, name)))], new Set(numeric));
}

const numberText = (value: number): string => (Number.isInteger(value) ? String(value) : value.toFixed(3));

/** RFC 4180, numbers in full. */
export function csvText(rows: readonly Row[]): string {
  const columns = columnsOf(rows);
  const field = (value: string | number | null | undefined): string => {
    const text = value === null || value === undefined ? "" : String(value);
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  const lines = [columns, ...rows.map((row) => columns.map((name) => row[name]))];
  return lines.map((line) => `${line.map(field).join(",")}\r\n`).join("");
}

/** Everything a reader needs to know what was measured, and of what. */
export const documentOf = (kind: string, job: EvaluateJob, report: Report, files: readonly string[]) => ({
  schema: 1,
  kind,
  model: { name: job.model.name, sha256: job.model.sha256 },
  runtime: job.runtime.name,
  recipe: job.recipe,
  objective: job.spec.objective,
  dataset: {
    path: job.args.positionals.at(-1),
    annotations: job.dataset.annotations?.path ?? null,
    format: job.dataset.annotations?.format ?? null,
    images: job.dataset.images.length,
  },
  rows: report.rows,
  skipped: Object.fromEntries([...job.skipped].map(([why, what]) => [why, { count: what.length, what }])),
  failures: job.problems,
  out: job.out,
  files,
});
