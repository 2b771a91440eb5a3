/** @file `npm run sweep-model`: sweeps of a million and a hundred million images on paper, as a table. */
import { table } from "../cli/terminal.ts";
import { limits } from "./limits.ts";
import { exceeded, modelOf, usual } from "./model.ts";

const sizes = [10_000, 1_000_000, 100_000_000];
const models = sizes.map((images) => modelOf({ ...usual, images }));
const whole = (value: number): string => Math.round(value).toLocaleString("en");

const rows: readonly (readonly string[])[] = [
  ["images", ...sizes.map(whole)],
  ["plan files", ...models.map((m) => whole(m.chapters))],
  ["shards and messages", ...models.map((m) => whole(m.messages))],
  ["listings", ...models.map((m) => whole(m.listings))],
  ["rounds of the orchestrator", ...models.map((m) => whole(m.rounds))],
  ["Workflow instances", ...models.map((m) => whole(m.instances))],
  ["parts of the report", ...models.map((m) => whole(m.reportParts))],
  ["hours", ...models.map((m) => m.hours.toFixed(1))],
  ["reads", ...models.map((m) => whole(m.usage.classB))],
  ["writes and listings", ...models.map((m) => whole(m.usage.classA))],
  ["US dollars", ...models.map((m) => whole(m.price.total))],
  ["of these writes", ...models.map((m) => whole(m.price.parts.writes))],
  ["of these CPU", ...models.map((m) => whole(m.price.parts.cpu))],
  ["of these one month's storage", ...models.map((m) => whole(m.price.parts.storageMonth))],
];
const last = models.at(-1);
const near = Object.entries(limits).map(([name, { value, unit }]) => {
  const used = last?.used[name as keyof typeof limits] ?? 0; // the keys of limits
  return [name, whole(used), whole(value), unit];
});
process.stdout.write(`${table(rows, new Set([1, 2, 3]))}\n\n`);
process.stdout.write(`${table([["limit", "used at most", "allowed", ""], ...near], new Set([1, 2]))}\n`);
process.stdout.write(`\nprices of ${last?.price.date}; exceeded: ${models.flatMap(exceeded).join(", ") || "none"}\n`);
