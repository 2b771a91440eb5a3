/**
 * @file Fuzzes the ONNX importer: `npm run fuzz -- [--count N] [--seed S] [--only I]`. Every mutated file must end in a
 * graph or a clear error, in time. A failure prints what replays it.
 */
import { parseArgs } from "node:util";
import { check, type Outcome } from "./check.ts";
import { corpus } from "./corpus.ts";
import { drawFrom, mutant } from "./mutate.ts";

/** Distinct failures are printed in full up to this many; more say no more. */
const failuresShown = 10;
const progressEvery = 100_000;

const { values } = parseArgs({
  options: {
    count: { type: "string", default: "1000000" },
    seed: { type: "string", default: "1" },
    only: { type: "string" },
  },
});
const count = Number(values.count);
const seed = Number(values.seed);
const first = values.only === undefined ? 0 : Number(values.only);
const end = values.only === undefined ? count : first + 1;

const outcomes = new Map<Outcome | "failed", number>();
const failures = new Map<string, { readonly index: number; readonly error: unknown }>();
const start = performance.now();
let slowest = 0;
for (let index = first; index < end; index++) {
  const bytes = mutant(drawFrom(seed * 1_000_003 + index), corpus);
  const began = performance.now();
  const outcome = attempt(bytes, index);
  slowest = Math.max(slowest, performance.now() - began);
  outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
  if ((index + 1) % progressEvery === 0) console.error(`${index + 1} files, ${failures.size} kinds of failure`);
}

const seconds = (performance.now() - start) / 1000;
console.log(
  `seed ${seed}: ${end - first} files in ${seconds.toFixed(0)} s (${Math.round((end - first) / seconds)} a second)`,
);
for (const [outcome, times] of [...outcomes].sort((a, b) => b[1] - a[1])) console.log(`  ${outcome}: ${times}`);
console.log(`  slowest file: ${slowest.toFixed(0)} ms; memory: ${Math.round(process.memoryUsage().rss / 2 ** 20)} MiB`);
for (const [, { index, error }] of [...failures].slice(0, failuresShown)) {
  console.log(`failure, replay with --seed ${seed} --only ${index}:`, error);
}
if (failures.size > 0) process.exitCode = 1;

function attempt(bytes: Uint8Array, index: number): Outcome | "failed" {
  try {
    return check(bytes);
  } catch (error) {
    // The first lines of the stack tell failures apart.
    const kind =
      error instanceof Error ? (error.stack ?? error.message).split("\n").slice(0, 3).join("\n") : String(error);
    if (!failures.has(kind)) failures.set(kind, { index, error });
    return "failed";
  }
}
