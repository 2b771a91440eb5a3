/** @file Seeded random numbers for tests: the same seed gives the same tensors on every machine. */

/** Uniform numbers in [0, 1), by a 32-bit counter put through an integer hash (the "mulberry32" mixer). */
export function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
