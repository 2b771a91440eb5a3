/** @file The same command line with one list option said otherwise: how a step of a study asks an evaluation. */
import type { Args } from "../args.ts";

export const withList = (args: Args, name: string, values: readonly string[]): Args => ({
  ...args,
  list: (asked) => (asked === name ? values : args.list(asked)),
});
