/**
 * @file Seeded random numbers and rotations that are the same on every machine. Only operations whose result IEEE 754
 *   and ECMAScript fix to the bit are used (+ - * /, floor, imul): Math.sin and its like may differ between engines.
 */

export interface Random {
  /** Uniform in [0, 1). */
  unit(): number;
  /** Uniform in [low, high). */
  between(low: number, high: number): number;
  /** A whole number from 0 to `count` - 1. */
  below(count: number): number;
  chance(probability: number): boolean;
  /** One of the list, which must not be empty. */
  pick<T>(list: readonly T[]): T;
}

/** The 32-bit finaliser of MurmurHash3: every bit of the result depends on every bit of the number. */
function scramble(value: number): number {
  let h = value;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** 2^32 divided by the golden ratio, odd: steps of it visit all 32-bit numbers, neighbours far apart. */
const STEP = 0x9e3779b9;

/** A stream of its own for each seed: a counter, scrambled. Neighbouring seeds start at unrelated places. */
export function randomFrom(seed: number): Random {
  let state = scramble((seed + STEP) | 0);
  const unit = (): number => {
    state = (state + STEP) | 0;
    return scramble(state) / 2 ** 32;
  };
  const below = (count: number): number => Math.floor(unit() * count);
  return {
    unit,
    between: (low, high) => low + (high - low) * unit(),
    below,
    chance: (probability) => unit() < probability,
    // In range while the list is not empty.
    pick: (list) => list[below(list.length)]!,
  };
}

export interface Turn {
  readonly cos: number;
  readonly sin: number;
}

/**
 * A rotation by an angle in ± 2 atan(limit): with t the tangent of half the angle, cos = (1 - t²) / (1 + t²) and
 * sin = 2 t / (1 + t²). A limit of 0.3 is 33 degrees, 1 is 90.
 */
export function randomTurn(random: Random, limit: number): Turn {
  const t = random.between(-limit, limit);
  const scale = 1 / (1 + t * t);
  return { cos: (1 - t * t) * scale, sin: 2 * t * scale };
}

/** Smooth noise over the plane, in [0, 1], with a lattice point at every whole number; repeats after 64. */
export type Noise = (x: number, y: number) => number;

const LATTICE = 64;

export function noiseFrom(random: Random): Noise {
  const values = Float32Array.from({ length: LATTICE * LATTICE }, () => random.unit());
  const wrap = LATTICE - 1;
  return (x, y) => {
    const i = Math.floor(x);
    const j = Math.floor(y);
    const u = x - i;
    const v = y - j;
    // The cubic 3 t² - 2 t³ has no slope at the lattice points, so cells join smoothly.
    const along = u * u * (3 - 2 * u);
    const down = v * v * (3 - 2 * v);
    const left = i & wrap;
    const right = (i + 1) & wrap;
    const upper = (j & wrap) * LATTICE;
    const lower = ((j + 1) & wrap) * LATTICE;
    const above = values[upper + left]! + (values[upper + right]! - values[upper + left]!) * along;
    const below = values[lower + left]! + (values[lower + right]! - values[lower + left]!) * along;
    return above + (below - above) * down;
  };
}
