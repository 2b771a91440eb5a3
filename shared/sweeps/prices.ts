/** @file What a sweep costs on Cloudflare, from published prices. Arithmetic only; measuring is in estimate.ts. */

/** When the prices were looked up, and what they are: US dollars, beyond the $5 a month and what it includes. */
export const priceTable = {
  date: "2026-11-22",
  perMillion: { requests: 0.3, cpuMilliseconds: 0.02, queueOperations: 0.4, classA: 4.5, classB: 0.36 },
  perGigabyteMonth: 0.015,
} as const;

/** What a sweep does, counted. */
export interface Usage {
  /** Calls of the consumer and of the Workflow. */
  readonly requests: number;
  readonly cpuMilliseconds: number;
  readonly queueOperations: number;
  /** Writes and listings. */
  readonly classA: number;
  /** Reads. */
  readonly classB: number;
  readonly storedBytes: number;
}

export interface Price {
  readonly currency: "USD";
  /** Of the price table. */
  readonly date: string;
  readonly total: number;
  readonly parts: Readonly<Record<"requests" | "cpu" | "queue" | "writes" | "reads" | "storageMonth", number>>;
}

const GIGA = 1e9;
const cents = (value: number): number => Number(value.toFixed(4));

export function priceOf(usage: Usage): Price {
  const { perMillion, perGigabyteMonth } = priceTable;
  const parts = {
    requests: (usage.requests * perMillion.requests) / 1e6,
    cpu: (usage.cpuMilliseconds * perMillion.cpuMilliseconds) / 1e6,
    queue: (usage.queueOperations * perMillion.queueOperations) / 1e6,
    writes: (usage.classA * perMillion.classA) / 1e6,
    reads: (usage.classB * perMillion.classB) / 1e6,
    storageMonth: (usage.storedBytes / GIGA) * perGigabyteMonth,
  };
  const total = Object.values(parts).reduce((sum, part) => sum + part, 0);
  const rounded = Object.fromEntries(Object.entries(parts).map(([name, part]) => [name, cents(part)]));
  // Rounding keeps the names.
  return { currency: "USD", date: priceTable.date, total: cents(total), parts: rounded as Price["parts"] };
}

/** A message is written, read and deleted. */
const operationsPerMessage = 3;
/** Of an explanation: document, map and overlay. */
const writesPerResult = 3;
/** Of a shard: its record and its mark. */
const writesPerShard = 2;
/** Of an explanation that is made: looking for its document, and reading the one that holds. */
const readsPerFresh = 2;
/** Of one that is known: its document, as an answer and as a result, and its map. */
const readsPerKnown = 3;
/** Of a shard: whether it is settled or stopped, the sweep, the plan, the chapter. */
const readsPerShard = 6;
const listPage = 1000;
const chapterItems = 1000;

export interface Workload {
  readonly images: number;
  readonly tasks: number;
  /** Tasks without a result yet. */
  readonly fresh: number;
  readonly shards: number;
  /** Calls of the orchestrator. */
  readonly rounds: number;
  readonly millisecondsPerTask: number;
  readonly bytesPerResult: number;
}

export function usageOf(work: Workload): Usage {
  const { images, tasks, fresh, shards, rounds } = work;
  const listings = Math.ceil(images / listPage) + rounds * 2;
  const chapters = Math.ceil(images / chapterItems);
  return {
    requests: shards + rounds,
    cpuMilliseconds: fresh * work.millisecondsPerTask,
    queueOperations: operationsPerMessage * shards,
    classA: listings + chapters + writesPerResult * fresh + writesPerShard * shards + rounds,
    // Every image is read once, whatever is known of it: its digest says what is.
    classB:
      images + readsPerFresh * fresh + readsPerKnown * (tasks - fresh) + readsPerShard * shards + shards + rounds * 6,
    storedBytes: fresh * work.bytesPerResult,
  };
}
