/** @file How far an evaluation is, and when it will be done. */
import type { Terminal } from "../terminal.ts";

/** A line at most this often, and one a percent: a log is read by people too. */
const EVERY_MS = 2000;

export interface Progress {
  /** One more is done; `fresh` where it was computed rather than found in the journal. */
  step(what: string, fresh: boolean): void;
}

/** Time is measured over fresh steps alone: those found in the journal say nothing of the rest. */
export function progressOf(terminal: Terminal, total: number): Progress {
  const start = performance.now();
  let [done, fresh, last, shown] = [0, 0, start, -1];
  return {
    step: (what, isFresh) => {
      done += 1;
      if (isFresh) fresh += 1;
      const now = performance.now();
      const percent = Math.floor((100 * done) / total);
      if (now - last < EVERY_MS || percent === shown) return;
      [last, shown] = [now, percent];
      const left = fresh === 0 ? "" : `, ${durationText(((now - start) / fresh) * (total - done))} left`;
      terminal.progress(`${done} of ${total} (${percent} %)${left}: ${what}`);
    },
  };
}

/** `40 s`, `12 min`, `3 h 20 min`. */
export function durationText(ms: number): string {
  const seconds = Math.round(ms / 1000);
  if (seconds < 90) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 90 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
