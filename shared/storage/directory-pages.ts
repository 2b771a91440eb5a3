/** @file A listing of a directory store in pages: each from its cursor alone, the next one sooner. */
import { type After, type Visited, walk } from "./directory-tree.ts";

/**
 * Who asks for the next page so soon, in milliseconds, goes on with the walk of the last: a folder of a hundred
 * thousand files is not read and sorted again for each thousand. What other processes put meanwhile into a folder
 * that was read is not listed; what they removed is not either, as each file is looked at.
 */
const keptMilliseconds = 10_000;

export interface Page {
  readonly visited: readonly Visited[];
  /** Where the next page begins; null after the last. */
  readonly cursor: string | null;
}

export interface PageOptions {
  readonly prefix: string;
  readonly delimited: boolean;
  readonly limit: number;
  readonly startAfter: string;
  readonly cursor: string | undefined;
}

export interface Pager {
  page(options: PageOptions): Promise<Page>;
  /** To be called when this process puts or removes a key. */
  forget(key: string): void;
}

interface Walked {
  readonly prefix: string;
  readonly delimited: boolean;
  readonly rest: AsyncGenerator<Visited>;
  /** This process changed something below the prefix since the walk began. */
  isStale: boolean;
}

interface Kept {
  readonly walked: Walked;
  readonly cursor: string;
  readonly ahead: Visited;
  readonly since: number;
}

export function pagerOf(root: string, foldsCase: boolean): Pager {
  const under = new Set<Walked>();
  let kept: Kept | null = null;

  function takeKept({ prefix, delimited, cursor }: PageOptions): Kept | null {
    if (kept === null || kept.cursor !== cursor) return null;
    const { walked, since } = kept;
    if (walked.prefix !== prefix || walked.delimited !== delimited) return null;
    const taken = kept;
    kept = null;
    return walked.isStale || Date.now() - since > keptMilliseconds ? null : taken;
  }

  function begin({ prefix, delimited, startAfter, cursor }: PageOptions): Walked {
    const after = cursor === undefined ? { name: startAfter, below: false } : afterOf(cursor);
    return { prefix, delimited, rest: walk({ root, foldsCase, prefix, after, delimited }), isStale: false };
  }

  return {
    async page(options) {
      const taken = takeKept(options);
      const walked = taken?.walked ?? begin(options);
      const visited: Visited[] = taken === null ? [] : [taken.ahead];
      under.add(walked);
      try {
        for (;;) {
          const { done, value: ahead } = await walked.rest.next();
          if (done === true) return { visited, cursor: null };
          const last = visited.at(-1);
          if (last !== undefined && visited.length === options.limit) {
            kept = { walked, cursor: cursorOf(last), ahead, since: Date.now() };
            return { visited, cursor: kept.cursor };
          }
          visited.push(ahead);
        }
      } finally {
        under.delete(walked);
      }
    },
    forget(key) {
      for (const walked of [...under, ...(kept === null ? [] : [kept.walked])]) {
        if (key.startsWith(walked.prefix)) walked.isStale = true;
      }
    },
  };
}

/** A cursor is the last name of its page, marked as an object or a prefix. */
const cursorOf = ({ kind, name }: Visited): string => (kind === "prefix" ? "p" : "o") + name;
const afterOf = (cursor: string): After => ({ name: cursor.slice(1), below: cursor.startsWith("p") });
