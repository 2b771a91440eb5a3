/** @file What a command may do to the outside: print, show progress, learn that it was cancelled. */

/** Handed to every command, so that tests can run one without a process. */
export interface Terminal {
  /** Results, and nothing else: what a script reads. */
  readonly print: (text: string) => void;
  /** Remarks for a person, on stderr. */
  readonly note: (text: string) => void;
  /** What went wrong: on stderr, also where remarks are not wanted. */
  readonly warn: (text: string) => void;
  /** What is being done now. On a terminal a line that is overwritten, elsewhere a line each. */
  readonly progress: (text: string) => void;
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

interface Stream {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

/** The terminal of a process. `quiet` drops progress and remarks. */
export function openTerminal(
  out: Stream,
  err: Stream,
  signal: AbortSignal,
  environment: Terminal["environment"],
  quiet: boolean,
): Terminal {
  const live = err.isTTY === true && !environment["CI"];
  let shown = false;
  const clear = (): void => {
    if (shown) err.write("\r\u001b[2K");
    shown = false;
  };
  const warn = (text: string): void => {
    clear();
    err.write(`${text}\n`);
  };
  return {
    print: (text) => {
      clear();
      out.write(`${text}\n`);
    },
    note: (text) => {
      if (!quiet) warn(text);
    },
    warn,
    progress: (text) => {
      if (quiet) return;
      if (!live) {
        if (text !== "") err.write(`${text}\n`);
        return;
      }
      clear();
      if (text === "") return;
      err.write(text.slice(0, (err.columns ?? 80) - 1));
      shown = true;
    },
    signal,
    environment,
  };
}

/** Rows as aligned columns; those of `right` (by index) are aligned to the right. */
export function table(rows: readonly (readonly string[])[], right: ReadonlySet<number> = new Set()): string {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, cell.length);
  }
  return rows
    .map((row) =>
      row
        .map((cell, i) => (right.has(i) ? cell.padStart(widths[i] ?? 0) : cell.padEnd(widths[i] ?? 0)))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

const units = ["B", "kB", "MB", "GB"];
/** `4.95 MB`: three digits, decimal units. */
export function bytesText(bytes: number): string {
  const power = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log10(Math.max(1, bytes)) / 3)));
  return `${power === 0 ? bytes : (bytes / 1000 ** power).toPrecision(3)} ${units[power]}`;
}

export const millisecondsText = (ms: number): string =>
  ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
