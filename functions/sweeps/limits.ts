/** @file Limits that hold for sweeps on every platform the functions run on. */

/** An isolate has 128 MB: a manifest's lines are remembered while it is planned. */
export const manifestLinesMax = 250_000;
