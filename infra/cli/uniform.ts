/** @file Seeded random numbers: the same on every machine, so that a check can be repeated. */

/** Uniform numbers in [0, 1) by Marsaglia's xorshift32; seeds from 0 up. */
export function uniformNumbers(seed: number): () => number {
  let state = (seed * 2 + 1) | 0; // never zero, where the generator would stay
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}
