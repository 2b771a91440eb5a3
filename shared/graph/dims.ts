/**
 * @file Arithmetic on dimensions. A symbolic dimension is a polynomial with integer coefficients in the model's
 * symbols, with floor, min and max as further atoms, written in one canonical way: equal polynomials are equal text.
 * Symbols stand for extents, so they are at least 1. Knows nothing of operators.
 */
import { AppError } from "../errors.ts";
import type { Dim, Shape } from "./ir.ts";

/** A hostile file can square a shape vector until its expression fills the memory; honest ones have few terms. */
const termsMax = 64;
const textMax = 2_000;
/** How deep a dimension written in the file may nest; a deeper one is taken as one opaque symbol. */
const depthMax = 40;

interface Atom {
  readonly text: string;
  /** For `floor(of/by)` with an integer `by`: its parts, so that floors of floors become one. */
  readonly floor?: { readonly of: Sum; readonly by: number };
}
interface Term {
  readonly factor: number;
  readonly atoms: readonly Atom[];
}
/** A polynomial: its terms by their atoms' text; the constant is under "". Never holds a term with factor 0. */
type Sum = ReadonlyMap<string, Term>;

export const add = binary(
  (a, b) => a + b,
  (a, b) => plus(a, b),
);
export const sub = binary(
  (a, b) => a - b,
  (a, b) => plus(a, times(constant(-1), b)),
);
export const mul = binary((a, b) => a * b, times);
/** The greatest integer not above a / b; `b` is positive. */
export const floorDiv = binary((a, b) => Math.floor(a / b), floorSum);
/** The least integer not below a / b; `b` is a positive number. */
export const ceilDiv = (a: Dim, b: number): Dim => floorDiv(add(a, b - 1), b);
/** The smaller one; decided where one is never above the other, else an expression. */
export const min = binary(Math.min, (a, b) => extremum("min", a, b));
export const max = binary(Math.max, (a, b) => extremum("max", a, b));

/** Number of elements of a shape. */
export const product = (shape: Shape): Dim => shape.reduce(mul, 1);

/** Whether `a` is at least `b` whatever the symbols are: false may also mean that nobody can tell. */
export const isAtLeast = (a: Dim, b: Dim): boolean => max(a, b) === a;

/** Two extents that can never be the same: both known, and different. */
export const conflict = (a: Dim | undefined, b: Dim | undefined): boolean =>
  typeof a === "number" && typeof b === "number" && a !== b;

/** The shapes without the extents they share, each taken out once. */
export function cancel(a: Shape, b: Shape): readonly [Shape, Shape] {
  const rest = [...b];
  const left = a.filter((dim) => {
    const at = rest.indexOf(dim);
    if (at >= 0) rest.splice(at, 1);
    return at < 0;
  });
  return [left, rest];
}

/** How often `parts` fit in `whole`, by volume: what -1 in a Reshape stands for. Undefined: they cannot. */
export function quotient(whole: Shape, parts: Shape): Dim | undefined {
  const [left, right] = cancel(whole, parts);
  const [over, under] = [product(left), product(right)];
  if (typeof over === "number" && typeof under === "number") {
    return under > 0 && over % under === 0 ? over / under : undefined;
  }
  return under === 0 ? undefined : floorDiv(over, under);
}

function binary(onNumbers: (a: number, b: number) => number, onSums: (a: Sum, b: Sum) => Sum) {
  return (a: Dim, b: Dim): Dim =>
    typeof a === "number" && typeof b === "number" ? onNumbers(a, b) : print(onSums(parse(a), parse(b)));
}

// --- polynomials -----------------------------------------------------------------------------------------------------

function sumOf(terms: Iterable<Term>): Sum {
  const sum = new Map<string, Term>();
  for (const { factor, atoms } of terms) {
    const key = atoms.map((a) => a.text).join("*");
    const total = (sum.get(key)?.factor ?? 0) + factor;
    if (total === 0) sum.delete(key);
    else sum.set(key, { factor: total, atoms });
    if (sum.size > termsMax || !Number.isSafeInteger(total)) throw tooLarge();
  }
  return sum;
}

const tooLarge = (): AppError =>
  new AppError("model-unsupported", `the model's shape arithmetic makes an expression of more than ${termsMax} terms`);

function constant(value: number): Sum {
  return sumOf([{ factor: value, atoms: [] }]);
}

function single(atom: Atom): Sum {
  return sumOf([{ factor: 1, atoms: [atom] }]);
}

function plus(a: Sum, b: Sum): Sum {
  return sumOf([...a.values(), ...b.values()]);
}

function times(a: Sum, b: Sum): Sum {
  if (a.size * b.size > termsMax ** 2) throw tooLarge();
  return sumOf(
    [...a.values()].flatMap((p) =>
      [...b.values()].map((q) => ({
        factor: p.factor * q.factor,
        atoms: [...p.atoms, ...q.atoms].sort((x, y) => (x.text < y.text ? -1 : 1)),
      })),
    ),
  );
}

/** The sum's value where it has no symbols. */
function constantOf(sum: Sum): number | undefined {
  if (sum.size === 0) return 0;
  return sum.size === 1 ? sum.get("")?.factor : undefined;
}

function floorSum(sum: Sum, by: Sum): Sum {
  const divisor = constantOf(by);
  if (divisor !== undefined && divisor > 0) return floorBy(sum, divisor);
  const exact = divideBy(sum, by);
  return exact ?? single({ text: `floor(${group(sum)}/${group(by)})` });
}

/** sum / by where `by` is one term that divides each term of the sum. */
function divideBy(sum: Sum, by: Sum): Sum | undefined {
  const [divisor] = by.values();
  if (by.size !== 1 || divisor === undefined) return undefined;
  const terms: Term[] = [];
  for (const { factor, atoms } of sum.values()) {
    const left = [...atoms];
    for (const atom of divisor.atoms) {
      const at = left.findIndex((a) => a.text === atom.text);
      if (at < 0) return undefined;
      left.splice(at, 1);
    }
    if (factor % divisor.factor !== 0) return undefined;
    terms.push({ factor: factor / divisor.factor, atoms: left });
  }
  return sumOf(terms);
}

/**
 * floor(sum / by), canonical: whole multiples of `by` stand outside, a common factor is cancelled, and
 * floor((floor(p/a) + c) / b) = floor((p + ac) / (ab)), so that any chain of strides is one floor.
 */
function floorBy(sum: Sum, by: number): Sum {
  const outside = sumOf([...sum.values()].map((t) => ({ ...t, factor: Math.floor(t.factor / by) })));
  const inside = sumOf([...sum.values()].map((t) => ({ ...t, factor: t.factor - by * Math.floor(t.factor / by) })));
  const rest = [...inside.values()].filter((t) => t.atoms.length > 0);
  if (rest.length === 0) return outside;
  const offset = inside.get("")?.factor ?? 0;

  const [only] = rest;
  const nested = rest.length === 1 && only?.factor === 1 && only.atoms.length === 1 ? only.atoms[0]?.floor : undefined;
  if (nested) return plus(outside, floorBy(plus(nested.of, constant(nested.by * offset)), nested.by * by));

  const common = rest.reduce((g, t) => gcd(g, t.factor), by);
  if (common > 1) {
    const reduced = sumOf([
      ...rest.map((t) => ({ ...t, factor: t.factor / common })),
      { factor: Math.floor(offset / common), atoms: [] },
    ]);
    return plus(outside, floorBy(reduced, by / common));
  }
  return plus(outside, single({ text: `floor(${group(inside)}/${by})`, floor: { of: inside, by } }));
}

const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b));

function extremum(kind: "min" | "max", a: Sum, b: Sum): Sum {
  const negated = constant(-1);
  if (lowest(plus(a, times(negated, b))) >= 0) return kind === "max" ? a : b;
  if (lowest(plus(b, times(negated, a))) >= 0) return kind === "max" ? b : a;
  const [first, second] = [String(print(a)), String(print(b))].sort();
  return single({ text: `${kind}(${first},${second})` });
}

/** A number the sum is never below, symbols being at least 1. */
function lowest(sum: Sum): number {
  let total = 0;
  for (const { factor, atoms } of sum.values()) {
    const low = atoms.map(lowestAtom).reduce((p, l) => (l < 0 ? Number.NEGATIVE_INFINITY : p * l), 1);
    total += atoms.length > 0 && factor < 0 ? Number.NEGATIVE_INFINITY : factor * low;
  }
  return total;
}

function lowestAtom({ text, floor }: Atom): number {
  if (floor) return Math.floor(lowest(floor.of) / floor.by);
  return /^(floor|min|max)\(/.test(text) ? Number.NEGATIVE_INFINITY : 1;
}

// --- text ------------------------------------------------------------------------------------------------------------

/** Symbols first, by name, what is subtracted after what is added, the constant last. */
function print(sum: Sum): Dim {
  const value = constantOf(sum);
  if (value !== undefined) return value;
  const rank = ([key, { factor }]: readonly [string, Term]): number => (key === "" ? 2 : factor < 0 ? 1 : 0);
  const terms = [...sum].sort((a, b) => rank(a) - rank(b) || (a[0] < b[0] ? -1 : 1));
  const text = terms.map(([key, { factor }], i) => {
    const magnitude = Math.abs(factor);
    const sign = factor < 0 ? "-" : i > 0 ? "+" : "";
    return sign + (key === "" ? magnitude : magnitude === 1 ? key : `${magnitude}*${key}`);
  });
  const joined = text.join("");
  if (joined.length > textMax) throw tooLarge();
  return joined;
}

const group = (sum: Sum): string => (sum.size > 1 ? `(${print(sum)})` : String(print(sum)));

const token = /\s*(?:(\d+)|([^\s\d+\-*/(),][^\s+\-*/(),]*)|([+\-*/(),]))/y;

/** Reads what `print` writes. Other text, such as a name with blanks in it, is one opaque symbol. */
function parse(dim: Dim): Sum {
  if (typeof dim === "number") return constant(dim);
  return (dim.length <= textMax ? new Parser(dim).parse() : undefined) ?? single({ text: dim });
}

/** Recursive descent; every method gives undefined where the text is not an expression. */
class Parser {
  readonly #tokens: string[] = [];
  #at = 0;
  #depth = 0;

  constructor(text: string) {
    token.lastIndex = 0;
    let end = 0;
    for (let m = token.exec(text); m !== null; m = token.exec(text)) {
      this.#tokens.push(m[0].trim());
      end = token.lastIndex;
    }
    if (end < text.length) this.#tokens.length = 0; // something is no token: an empty list does not parse
  }

  parse(): Sum | undefined {
    const sum = this.#sum();
    return this.#at === this.#tokens.length ? sum : undefined;
  }

  #take(expected: string): boolean {
    if (this.#tokens[this.#at] !== expected) return false;
    this.#at += 1;
    return true;
  }

  #sum(): Sum | undefined {
    if (++this.#depth > depthMax) return undefined;
    let sign = this.#take("-") ? -1 : 1;
    let total = constant(0);
    for (;;) {
      const term = this.#product();
      if (term === undefined) return undefined;
      total = plus(total, times(constant(sign), term));
      if (this.#take("+")) sign = 1;
      else if (this.#take("-")) sign = -1;
      else break;
    }
    this.#depth -= 1;
    return total;
  }

  #product(): Sum | undefined {
    let total = this.#factor();
    while (total !== undefined && this.#take("*")) {
      const factor = this.#factor();
      total = factor && times(total, factor);
    }
    return total;
  }

  #factor(): Sum | undefined {
    if (this.#take("(")) return this.#closed(this.#sum());
    const word = this.#tokens[this.#at];
    if (word === undefined || /^[+\-*/(),]$/.test(word)) return undefined;
    this.#at += 1;
    if (/^\d/.test(word)) return constant(Number(word));
    if (!this.#take("(")) return single({ text: word });
    const first = this.#sum();
    const separated = this.#take(word === "floor" ? "/" : ",");
    const second = separated ? (word === "floor" ? this.#factor() : this.#sum()) : undefined;
    if (first === undefined || second === undefined) return undefined;
    switch (word) {
      case "floor":
        return constantOf(second) === 0 ? undefined : this.#closed(floorSum(first, second));
      case "min":
      case "max":
        return this.#closed(extremum(word, first, second));
      default:
        return undefined;
    }
  }

  #closed(sum: Sum | undefined): Sum | undefined {
    return this.#take(")") ? sum : undefined;
  }
}
