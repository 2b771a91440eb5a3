/** @file What a command is. Knows none of them. */
import type { Args, Usage } from "./args.ts";
import type { Terminal } from "./terminal.ts";

/** 0 all went well, 1 some items failed or a check did not hold, 3 so by a fault of ours. Wrong usage is thrown. */
export type Outcome = 0 | 1 | 3;

export interface Command extends Usage {
  /** One line, for the list of commands. */
  readonly summary: string;
  /** Paragraphs after the options: files written, examples. */
  readonly details?: string;
  readonly run: (args: Args, terminal: Terminal) => Promise<Outcome>;
}
