/**
 * @file Sessions kept between runs within a byte budget. Knows nothing of what a session computes or where models come
 * from: the caller gives a key and how to make the session.
 */
import { AppError } from "../errors.ts";
import { checkCancelled, type Session } from "./runtime.ts";

/** A session holds the weights once; activations and rotated kernels are of the same order. */
export const bytesPerWeightByte = 2;

/** A session and what keeping it costs: weights plus what its runs need, as the maker estimates it. */
export interface Sized {
  readonly session: Session;
  readonly bytes: number;
}

export type PoolEvent =
  | { readonly kind: "creating" | "created" | "reused" | "released" | "running"; readonly key: string }
  | { readonly kind: "waiting"; readonly key: string; readonly ahead: number };

export interface PoolOptions {
  /** Idle sessions are released, least recently used first, while all together exceed this. */
  readonly bytesMax: number;
  readonly onEvent?: (event: PoolEvent) => void;
}

interface Entry {
  readonly made: Promise<Sized>;
  /** Known once made. */
  bytes: number;
  /** Callers who wait for it or run it: never released while there is one. */
  users: number;
}

/**
 * Runs callers one at a time, over sessions that are created once a key and kept while they fit the budget. One session
 * that alone exceeds the budget is kept until another is asked for.
 */
export class SessionPool {
  readonly #options: PoolOptions;
  /** In order of use: the first is the one used longest ago. */
  readonly #entries = new Map<string, Entry>();
  #turn: Promise<void> = Promise.resolve();
  #ahead = 0;
  #closed = false;

  constructor(options: PoolOptions) {
    this.#options = options;
  }

  /** Bytes of the sessions held now. */
  get bytes(): number {
    return [...this.#entries.values()].reduce((sum, entry) => sum + entry.bytes, 0);
  }

  /** Keys of the sessions held now, the one used longest ago first. */
  get keys(): readonly string[] {
    return [...this.#entries.keys()];
  }

  /**
   * Calls `use` with the session of `key`, alone in this pool. Who asks for a key that is being made waits for the same
   * session; a make that fails is forgotten, so the next caller tries anew. The signal ends this caller's wait, never
   * a make others wait for.
   *
   * @param expectedBytes what the session will cost about: idle ones are released before it is made until it fits.
   * Without it they are released afterwards, and for that time both are held.
   */
  async use<T>(
    key: string,
    make: () => Promise<Sized>,
    use: (session: Session) => Promise<T>,
    signal?: AbortSignal,
    expectedBytes = 0,
  ): Promise<T> {
    if (this.#closed) throw new TypeError("the pool is closed");
    checkCancelled(signal, "waiting for a session");
    const entry = this.#entry(key, make, expectedBytes);
    entry.users += 1;
    try {
      const { session } = await abortable(entry.made, signal);
      return await this.#alone(key, () => use(session), signal);
    } finally {
      entry.users -= 1;
      this.#trim();
    }
  }

  /** Releases all sessions; those in use when their callers are done. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#turn;
    this.#trim();
  }

  #entry(key: string, make: () => Promise<Sized>, expectedBytes: number): Entry {
    const known = this.#entries.get(key);
    if (known !== undefined) {
      this.#emit({ kind: "reused", key });
      this.#entries.delete(key); // re-inserted as the most recent
      this.#entries.set(key, known);
      return known;
    }
    this.#emit({ kind: "creating", key });
    // Released now, and only then made: a heap that never shrinks must not hold both.
    const room = this.#release(this.#options.bytesMax - expectedBytes, 0);
    const made = room.length === 0 ? make() : Promise.all(room).then(make);
    const entry: Entry = { made, bytes: 0, users: 0 };
    this.#entries.set(key, entry);
    made.then(
      ({ bytes }) => {
        entry.bytes = bytes;
        this.#emit({ kind: "created", key });
        this.#trim();
      },
      () => this.#entries.delete(key),
    );
    return entry;
  }

  /** Waits for all who came before. A caller who gives up leaves the queue without running. */
  async #alone<T>(key: string, run: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    const before = this.#turn;
    let done: () => void = () => {};
    this.#turn = new Promise((resolve) => {
      done = resolve;
    });
    if (this.#ahead > 0) this.#emit({ kind: "waiting", key, ahead: this.#ahead });
    this.#ahead += 1;
    try {
      await abortable(before, signal);
      this.#emit({ kind: "running", key });
      return await run();
    } finally {
      this.#ahead -= 1;
      // Whoever is next waits for those before this one too, also when this one gave up early.
      before.then(done, done);
    }
  }

  #trim(): void {
    void this.#release(this.#closed ? -1 : this.#options.bytesMax, this.#closed ? 0 : 1);
  }

  /** Releases idle sessions until all others take `bytesMax`, or only `keep` are left. */
  #release(bytesMax: number, keep: number): readonly Promise<void>[] {
    const released: Promise<void>[] = [];
    for (const [key, entry] of this.#entries) {
      if (this.bytes <= bytesMax || this.#entries.size <= keep) break;
      if (entry.users > 0) continue;
      this.#entries.delete(key);
      released.push(
        entry.made.then(
          async ({ session }) => {
            await session.release();
            this.#emit({ kind: "released", key });
          },
          () => {},
        ),
      );
    }
    return released;
  }

  #emit(event: PoolEvent): void {
    this.#options.onEvent?.(event);
  }
}

/** The promise, or `cancelled` as soon as the signal is aborted. The promise itself goes on. */
function abortable<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  return new Promise((resolve, reject) => {
    const cancel = (): void =>
      reject(new AppError("cancelled", "waiting for a session was cancelled", {}, { cause: signal.reason }));
    if (signal.aborted) return cancel();
    signal.addEventListener("abort", cancel, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", cancel));
  });
}
