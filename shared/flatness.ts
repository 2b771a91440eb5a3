/** @file When the values of a map count as equal, for whoever scales, ranks or draws maps. Imports nothing. */

/**
 * A map whose values differ by no more than this part of the largest magnitude is constant: it is eight units in the
 * last place of float32, what summing in another order alone makes of equal values.
 */
export const FLAT_RELATIVE = 1e-6;
