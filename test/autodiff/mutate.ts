/**
 * @file A mutation run over the source of shared/autodiff: `npx tsx test/autodiff/mutate.ts [part of a file name]...`
 * Each mutant is a copy with one token changed; the gradient cases must notice. Prints what survived, with line
 * numbers, and the share killed. Takes many minutes, so no test. It knows tokens, not syntax: what does not parse is no
 * mutant. Survivors are for a person to read: some are faults of conventions (conventions.test.ts), of cost, or none.
 */
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { pathToFileURL } from "node:url";
import type { backward } from "../../shared/autodiff/backward.ts";
import type { RuleTable } from "../../shared/autodiff/vjp.ts";
import { checkGradient, type GradientCase, operatorsOf, seeds } from "../support/check-gradient.ts";
import { families } from "./cases.ts";

const shared = path.resolve(import.meta.dirname, "../../shared");
const work = mkdtempSync(path.join(tmpdir(), "mutants-"));

/** Files without arithmetic of their own, or whose mutants concern messages and typing only. */
const skipped = new Set(["vjp.ts", "rules.ts", "gradient.ts", "modified.ts", "one-hot.ts"]);
/** Lines that say what is refused or typed rather than what is computed. */
const idle =
  /^\s*(\*|\/\/|\/\*|import |export (type|interface)|interface |type |readonly |throw )|cannotDifferentiate\(/;

/** One change: at `index` of the file, `from` becomes `to`. */
interface Mutant {
  readonly index: number;
  readonly from: string;
  readonly to: string;
}

const tokens: readonly (readonly [RegExp, (found: string) => string])[] = [
  [/\bg\.mul\(/g, () => "g.add("],
  [/\bg\.add\(/g, () => "g.sub("],
  [/\bg\.sub\(/g, () => "g.add("],
  [/\bg\.div\(/g, () => "g.mul("],
  [/\bg\.(neg|exp|sqrt|sign|abs)\(/g, () => "g.identity("],
  [/\b(true|false)\b/g, (found) => (found === "true" ? "false" : "true")],
  [/(?<= )(===|!==)(?= )/g, (found) => (found === "===" ? "!==" : "===")],
  [/(?<= )(&&|\|\|)(?= )/g, (found) => (found === "&&" ? "||" : "&&")],
  [/(?<=[\w)\]] )[-+](?= [\w(])/g, (found) => (found === "+" ? "-" : "+")],
  [/(?<=[\w)\]] )[*/](?= [\w(])/g, (found) => (found === "*" ? "/" : "*")],
  [/(?<= )(<|<=|>|>=)(?= )/g, (found) => (found.length === 1 ? `${found}=` : found.slice(0, 1))],
  [/\bMath\.(floor|ceil)\b/g, (found) => (found.endsWith("floor") ? "Math.ceil" : "Math.floor")],
  [/\bMath\.(max|min)\b/g, (found) => (found.endsWith("max") ? "Math.min" : "Math.max")],
  // A number that is not part of a name, a string or a longer number, nor a default only the compiler asks for.
  [/(?<!\?\? )(?<![\w.$"'`])\d+(\.\d+)?(e[-+]?\d+)?(?![\w.]*["'`\w])/g, (found) => String(Number(found) + 1)],
];

function mutantsOf(source: string): readonly Mutant[] {
  const found: Mutant[] = [];
  let start = 0;
  for (const line of source.split("\n")) {
    if (!idle.test(line)) {
      const code = line.replace(/\s\/\/ .*$/, "");
      for (const [pattern, change] of tokens) {
        for (const match of code.matchAll(pattern)) {
          found.push({ index: start + match.index, from: match[0], to: change(match[0]) });
        }
      }
    }
    start += line.length + 1;
  }
  return [...found, ...swaps(source)];
}

/** `g.sub(a, b)` as `g.sub(b, a)`, and the like where the order matters. */
function swaps(source: string): readonly Mutant[] {
  return [...source.matchAll(/\bg\.(sub|div|matmul)\(/g)].flatMap((match): Mutant[] => {
    const from = match.index + match[0].length;
    let [depth, comma, at] = [0, -1, from];
    for (; at < source.length && depth >= 0; at++) {
      const c = source[at] ?? "";
      if ("([{".includes(c)) depth += 1;
      if (")]}".includes(c)) depth -= 1;
      if (c === "," && depth === 0 && comma < 0) comma = at;
    }
    const [left, right] = [source.slice(from, comma), source.slice(comma + 1, at - 1).trim()];
    return comma < 0 || left === right
      ? []
      : [{ index: from, from: source.slice(from, at - 1), to: `${right}, ${left}` }];
  });
}

/** A fresh copy of shared/autodiff, the rest of shared beside it by reference, so that only the copy is loaded anew. */
function copy(serial: number): string {
  const root = path.join(work, String(serial), "shared");
  mkdirSync(root, { recursive: true });
  writeFileSync(path.join(work, String(serial), "package.json"), '{ "type": "module" }');
  for (const name of readdirSync(shared)) {
    if (name !== "autodiff") symlinkSync(path.join(shared, name), path.join(root, name));
  }
  cpSync(path.join(shared, "autodiff"), path.join(root, "autodiff"), { recursive: true });
  return path.join(root, "autodiff");
}

interface Loaded {
  readonly rules: RuleTable;
  readonly backward: typeof backward;
}

async function load(folder: string): Promise<Loaded> {
  const module = (name: string): Promise<unknown> => import(pathToFileURL(path.join(folder, name)).href);
  const [table, sweep] = await Promise.all([module("rules.ts"), module("backward.ts")]);
  return { ...(table as Pick<Loaded, "rules">), ...(sweep as Pick<Loaded, "backward">) }; // what those files export
}

/** The first case that notices, or undefined. */
function noticed(cases: readonly GradientCase[], { rules, backward: sweep }: Loaded): boolean {
  for (const check of cases) {
    try {
      checkGradient(check, { table: rules, sweep, seeds: seeds.slice(0, 1) });
    } catch {
      return true;
    }
  }
  return false;
}

const all = Object.values(families).flatMap((family) => Object.values(family));
/** The cases a file can affect, small graphs first: those of the operators it names, or all. */
function casesFor(file: string, source: string): readonly GradientCase[] {
  const relevant = all.filter((check) =>
    [...operatorsOf(check)].some((name) => new RegExp(`\\b${name}:`).test(source)),
  );
  return file.includes("rules/") && relevant.length > 0 ? relevant : all;
}

const wanted = process.argv.slice(2);
const files = readdirSync(path.join(shared, "autodiff"), { recursive: true })
  .map(String)
  .filter((file) => file.endsWith(".ts") && !skipped.has(path.basename(file)))
  .filter((file) => wanted.length === 0 || wanted.some((part) => file.includes(part)));
const total = { killed: 0, survived: 0 };
let serial = 0;
try {
  for (const file of files.sort()) {
    const source = readFileSync(path.join(shared, "autodiff", file), "utf8");
    const passing = casesFor(file, source).filter((check) => !noticedByOriginal(check));
    const tally = { killed: 0, survived: 0 };
    for (const { index, from, to } of mutantsOf(source)) {
      serial += 1;
      const folder = copy(serial);
      writeFileSync(path.join(folder, file), source.slice(0, index) + to + source.slice(index + from.length));
      const loaded = await load(folder).catch(() => undefined);
      rmSync(path.join(work, String(serial)), { recursive: true });
      if (loaded === undefined) continue; // does not parse, or fails on loading
      const killed = noticed(passing, loaded);
      tally[killed ? "killed" : "survived"] += 1;
      if (killed) continue;
      const before = source.slice(0, index).split("\n");
      const where = `${file}:${before.length}:${(before.at(-1)?.length ?? 0) + 1}`;
      console.log(`survived  ${where}  ${from} -> ${to}   ${source.split("\n")[before.length - 1]?.trim()}`);
    }
    console.log(
      `${file}: ${tally.killed} of ${tally.killed + tally.survived} mutants killed by ${passing.length} cases`,
    );
    total.killed += tally.killed;
    total.survived += tally.survived;
  }
} finally {
  rmSync(work, { recursive: true });
}
const count = total.killed + total.survived;
console.log(`in all ${total.killed} of ${count} killed (${((100 * total.killed) / count).toFixed(1)} %)`);

/** Cases that fail without any mutation say nothing. */
function noticedByOriginal(check: GradientCase): boolean {
  try {
    checkGradient(check, { seeds: seeds.slice(0, 1) });
    return false;
  } catch {
    return true;
  }
}
