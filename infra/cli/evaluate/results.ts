/** @file What is collected of every method at every layer, in the order they were asked for. */
import type { MethodRun } from "./job.ts";
import type { Figure, Point } from "./report.ts";

/** A list of items a method and layer. */
export class Table<T> {
  readonly #runs: readonly MethodRun[];
  readonly #items = new Map<MethodRun, T[][]>();

  constructor(runs: readonly MethodRun[]) {
    this.#runs = runs;
    for (const run of runs)
      this.#items.set(
        run,
        run.layers.map(() => []),
      );
  }

  /** `layer` is an index into the run's layers. */
  add(run: MethodRun, layer: number, item: T): void {
    this.#items.get(run)?.[layer]?.push(item);
  }

  of(run: MethodRun, layer: number): readonly T[] {
    return this.#items.get(run)?.[layer] ?? [];
  }

  /** One result a method and layer. */
  map<R>(result: (run: MethodRun, layer: string, items: readonly T[]) => R): readonly R[] {
    return this.#runs.flatMap((run) => run.layers.map((layer, i) => result(run, layer, this.of(run, i))));
  }

  /** The same as lines of a figure. Methods that read other tensors (conv-real) have places of their own. */
  lines(pointOf: (items: readonly T[]) => Point): Pick<Figure, "layers" | "lines" | "apart"> {
    const layers = mergedOrder(this.#runs.map((run) => run.layers));
    const lines = this.#runs.map((run) => ({
      name: run.method,
      points: layers.map((layer) => {
        const index = run.layers.indexOf(layer);
        return index < 0 ? { value: null, interval: null } : pointOf(this.of(run, index));
      }),
    }));
    const apart = this.#runs.find((run) => run.layers.length > 1)?.layers.at(-1);
    return { layers, lines, ...(apart !== undefined && { apart }) };
  }
}

/** All names of several ordered lists in one order that keeps each list's own as far as the lists agree. */
function mergedOrder(lists: readonly (readonly string[])[]): readonly string[] {
  const merged: string[] = [];
  for (const list of lists) {
    let at = 0;
    for (const name of list) {
      const found = merged.indexOf(name);
      if (found < 0) merged.splice(at, 0, name);
      at = (found < 0 ? at : found) + 1;
    }
  }
  return merged;
}
