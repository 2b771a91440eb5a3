/** @file How many may work at once, and how many may wait for it. Knows nothing of the work. */
import { AppError } from "../errors.ts";
import { checkCancelled } from "../runtime/runtime.ts";

export interface GateOptions {
  /** What is scarce, for the error: `this isolate`. */
  readonly name: string;
  readonly workersMax: number;
  /** Beyond this a caller is refused at once: waiting longer than a client does helps nobody. */
  readonly waitingMax: number;
  /** What a refused caller is told. */
  readonly retryAfterSeconds: number;
}

/** Lets callers through in order, `workersMax` at a time. */
export class Gate {
  readonly #options: GateOptions;
  readonly #waiting: (() => void)[] = [];
  #working = 0;

  constructor(options: GateOptions) {
    this.#options = options;
  }

  get load(): { readonly working: number; readonly waiting: number } {
    return { working: this.#working, waiting: this.#waiting.length };
  }

  /** Throws `rate-limited` where too many wait, and `cancelled` for who gives up waiting. */
  async pass<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    await this.#enter(signal);
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#working -= 1;
      else next();
    }
  }

  async #enter(signal: AbortSignal | undefined): Promise<void> {
    const { name, workersMax, waitingMax, retryAfterSeconds } = this.#options;
    if (this.#working < workersMax) {
      this.#working += 1;
      return;
    }
    if (this.#waiting.length >= waitingMax) {
      throw new AppError(
        "rate-limited",
        `${name} is busy: ${this.#working} at work and ${waitingMax} waiting; try again in ${retryAfterSeconds} s`,
        { retryAfterSeconds },
      );
    }
    checkCancelled(signal, `waiting for ${name}`);
    await new Promise<void>((resolve, reject) => {
      const enter = (): void => {
        signal?.removeEventListener("abort", leave);
        resolve();
      };
      const leave = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(enter), 1);
        reject(new AppError("cancelled", `waiting for ${name} was cancelled`, {}, { cause: signal?.reason }));
      };
      signal?.addEventListener("abort", leave, { once: true });
      this.#waiting.push(enter);
    });
  }
}
