/**
 * @file Command-line arguments: what options a command has, reading them, and the help text made from the same table.
 * Knows no command.
 */
import { parseArgs } from "node:util";
import { AppError } from "../../shared/errors.ts";
import { nearest } from "../../shared/nearest.ts";

export interface Option {
  readonly help: string;
  /** What the value is called in the help; an option without one is a flag. */
  readonly value?: string;
  readonly short?: string;
  /** Several values: the option repeated, or one value with commas. */
  readonly list?: boolean;
  /** Words after the option belong to it too, once all positionals were given: `--wrt a b`. */
  readonly greedy?: boolean;
}
export type Options = Readonly<Record<string, Option>>;

/**
 * Positionals: a name in capitals each, in brackets if it may be left out; the last takes several if it ends in `…`.
 */
export interface Usage {
  readonly positionals: readonly string[];
  readonly options: Options;
}

export interface Args {
  readonly positionals: readonly string[];
  /** The option's value, or undefined where it was not given. The last one counts. */
  text(name: string): string | undefined;
  /** All values of a list option, split at commas; empty where it was not given. */
  list(name: string): readonly string[];
  flag(name: string): boolean;
}

const usageError = (message: string): AppError => new AppError("spec-invalid", message);

/** Reads arguments as the usage says, or throws `spec-invalid` with the nearest name that exists. */
export function readArgs(argv: readonly string[], usage: Usage, command: string): Args {
  const config = Object.fromEntries(
    Object.entries(usage.options).map(([name, { value, short }]) => [
      name,
      {
        type: value === undefined ? ("boolean" as const) : ("string" as const),
        ...(short && { short }),
        multiple: true,
      },
    ]),
  );
  const { tokens } = parseArgs({
    args: [...argv],
    options: config,
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  const open = usage.positionals.at(-1)?.endsWith("…") ?? false;
  const values = new Map<string, (string | true)[]>();
  const positionals: string[] = [];
  let greedy: (string | true)[] | undefined;
  for (const token of tokens) {
    if (token.kind === "option-terminator") continue;
    if (token.kind === "positional") {
      if (greedy !== undefined && !open && positionals.length >= usage.positionals.length) greedy.push(token.value);
      else positionals.push(token.value);
      continue;
    }
    const option = usage.options[token.name];
    if (option === undefined) throw unknownOption(token.rawName, token.name, usage, command);
    const given = values.get(token.name) ?? [];
    given.push(checkedValue(option, token.rawName, token.value, usage));
    values.set(token.name, given);
    greedy = option.greedy ? given : undefined;
  }
  checkCount(positionals, usage, command, open);
  const all = (name: string): readonly (string | true)[] => values.get(name) ?? [];
  return {
    positionals,
    text: (name) => all(name).findLast((v) => v !== true),
    list: (name) =>
      all(name)
        .flatMap((v) => (v === true ? [] : v.split(",")))
        .map((v) => v.trim())
        .filter((v) => v !== ""),
    flag: (name) => all(name).length > 0,
  };
}

function unknownOption(raw: string, name: string, usage: Usage, command: string): AppError {
  const known = Object.keys(usage.options);
  const near = nearest(name, known);
  const hint =
    near.length > 0
      ? `did you mean ${near.map((n) => `--${n}`).join(" or ")}?`
      : `see backlight ${command} --help for its options`;
  return usageError(`backlight ${command} has no option "${raw}": ${hint}`);
}

function checkedValue(option: Option, raw: string, value: string | undefined, usage: Usage): string | true {
  if (option.value === undefined) {
    if (value !== undefined) throw usageError(`${raw} is a flag and takes no value, but got "${value}"`);
    return true;
  }
  // A forgotten value would swallow the next option.
  const swallowed = value?.startsWith("--") && value.slice(2).split("=")[0];
  if (value === undefined || (swallowed && swallowed in usage.options)) {
    throw usageError(`${raw} needs a value: ${raw} ${option.value}`);
  }
  return value;
}

function checkCount(given: readonly string[], usage: Usage, command: string, open: boolean): void {
  const missing = usage.positionals[given.length];
  if (missing !== undefined && !missing.startsWith("[")) {
    throw usageError(`backlight ${command} needs ${missing}: ${usageLine(command, usage)}`);
  }
  const extra = given[usage.positionals.length];
  if (!open && extra !== undefined) {
    throw usageError(`backlight ${command} does not expect "${extra}": ${usageLine(command, usage)}`);
  }
}

export const usageLine = (command: string, usage: Usage): string =>
  ["backlight", command, ...usage.positionals, "[options]"].join(" ");

/** The options as an aligned table, wrapped to the width of a terminal. */
export function optionsHelp(options: Options): string {
  const rows = Object.entries(options).map(([name, { value, short, help }]) => {
    const left = `${short ? `-${short}, ` : "    "}--${name}${value === undefined ? "" : ` ${value}`}`;
    return { left, help };
  });
  const width = Math.min(30, Math.max(...rows.map(({ left }) => left.length)));
  return rows
    .map(({ left, help }) => {
      const lines = wrap(help, terminalWidth - width - 4);
      const indent = `\n${" ".repeat(width + 4)}`;
      const gap = left.length > width ? indent : " ".repeat(width - left.length + 2);
      return `  ${left}${gap}${lines.join(indent)}`;
    })
    .join("\n");
}

/** Prose is wrapped; lines that are indented (examples, tables) stay. */
export const prose = (text: string): string =>
  text
    .split("\n\n")
    .map((paragraph) =>
      paragraph
        .split(/\n(?= )/)
        .map((part) => (/^ /.test(part) ? part : wrap(part.replace(/\s+/g, " ").trim(), terminalWidth).join("\n")))
        .join("\n"),
    )
    .join("\n\n");

/** What a wide terminal shows, and a page can print. */
const terminalWidth = 118;

function wrap(text: string, width: number): readonly string[] {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const last = lines.at(-1);
    if (last === undefined || last.length + word.length >= width) lines.push(word);
    else lines[lines.length - 1] = `${last} ${word}`;
  }
  return lines;
}

/** A number within bounds, or an error that names the option. */
export function numberOf(args: Args, name: string, min: number, max: number): number | undefined {
  const text = args.text(name);
  if (text === undefined) return undefined;
  const value = Number(text);
  if (text.trim() === "" || Number.isNaN(value) || value < min || value > max) {
    throw usageError(`--${name} takes a number from ${min} to ${max}, not "${text}"`);
  }
  return value;
}

export function integerOf(args: Args, name: string, min: number, max: number): number | undefined {
  const value = numberOf(args, name, min, max);
  if (value !== undefined && !Number.isInteger(value)) {
    throw usageError(`--${name} takes a whole number, not "${args.text(name)}"`);
  }
  return value;
}

/** One of the names, or an error that lists them. */
export function choiceOf<T extends string>(args: Args, name: string, choices: readonly T[]): T | undefined {
  const text = args.text(name);
  return text === undefined ? undefined : chosen(name, text, choices);
}

export function choicesOf<T extends string>(args: Args, name: string, choices: readonly T[]): readonly T[] {
  return args.list(name).map((text) => chosen(name, text, choices));
}

function chosen<T extends string>(name: string, text: string, choices: readonly T[]): T {
  const found = choices.find((choice) => choice === text);
  if (found !== undefined) return found;
  const near = nearest(text, choices);
  const hint = near.length > 0 ? `did you mean ${near.join(" or ")}? ` : "";
  throw usageError(`--${name} has no choice "${text}": ${hint}it takes ${choices.join(", ")}`);
}
