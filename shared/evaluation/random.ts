/** @file Seeded random numbers for resampling and for random weights: the same seed gives the same on every machine. */

/** Numbers in [0, 1): sfc32 (Doty-Humphrey's PractRand), 128 bits of state, far more than any evaluation draws. */
export function uniformFrom(seed: number): () => number {
  let [a, b, c, counter] = [0, seed | 0, (seed / 2 ** 32) | 0, 1];
  const next = (): number => {
    const out = (a + b + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + out;
    return (out >>> 0) / 2 ** 32;
  };
  // Twelve rounds mix a seed of few bits into the whole state, as the generator's author recommends.
  for (let i = 0; i < 12; i += 1) next();
  return next;
}

/** A whole number from 0 up to, not including, `count`. */
export const indexFrom = (uniform: () => number, count: number): number => Math.floor(uniform() * count);

/** Standard normal numbers by Box and Muller's transform. */
export function normalFrom(seed: number): () => number {
  const uniform = uniformFrom(seed);
  let spare: number | undefined;
  return () => {
    if (spare !== undefined) {
      const kept = spare;
      spare = undefined;
      return kept;
    }
    const radius = Math.sqrt(-2 * Math.log(1 - uniform())); // 1 - u is never 0
    const angle = 2 * Math.PI * uniform();
    spare = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  };
}
