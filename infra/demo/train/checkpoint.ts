/**
 * @file A training's state as one file: a line of JSON that says what it is, then the numbers. Written whole or not at
 * all; a digest tells a file that was altered or cut.
 */
import { AppError } from "../../../shared/errors.ts";
import { readOptional, sha256, writeAtomic } from "../../cli/files.ts";
import type { TrainingState } from "./optimizer.ts";
import { sameStart, type TrainingPlan } from "./plan.ts";

/** The first line. */
interface Header {
  readonly format: typeof format;
  readonly plan: TrainingPlan;
  /** Name and version of the engine: others round differently. */
  readonly engine: string;
  readonly step: number;
  /** Parameters; the file holds four arrays of as many, then the losses. */
  readonly length: number;
  /** Seconds trained before this was written. */
  readonly seconds: number;
  /** Of everything behind the first line. */
  readonly sha256: string;
}

const format = "backlight-training-1";

export interface Checkpoint {
  readonly state: TrainingState;
  /** The loss of every step so far. */
  readonly losses: readonly number[];
  readonly seconds: number;
}

const arraysOf = (state: TrainingState): readonly Float32Array[] => [
  state.parameters,
  state.first,
  state.second,
  state.average,
];

/** Writes the file under a temporary name first. */
export async function writeCheckpoint(
  file: string,
  { state, losses, seconds }: Checkpoint,
  plan: TrainingPlan,
  engine: string,
): Promise<void> {
  const payload = Buffer.concat([...arraysOf(state), Float32Array.from(losses)].map(bytesOf));
  const { step, parameters } = state;
  const header: Header = { format, plan, engine, step, length: parameters.length, seconds, sha256: sha256(payload) };
  await writeAtomic(file, Buffer.concat([Buffer.from(`${JSON.stringify(header)}\n`), payload]));
}

const bytesOf = ({ buffer, byteOffset, byteLength }: Float32Array): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);

/**
 * The checkpoint in `file`, or undefined where there is none.
 * @throws AppError `model-malformed` for a file that is no checkpoint or was altered or cut; `spec-invalid` for one
 * whose
 *   steps so far are not those of `plan`, or of another engine
 */
export async function readCheckpoint(
  file: string,
  plan: TrainingPlan,
  engine: string,
): Promise<Checkpoint | undefined> {
  const bytes = await readOptional(file, "checkpoint");
  if (bytes === undefined) return undefined;
  const end = bytes.indexOf("\n".charCodeAt(0));
  const header = end < 0 ? undefined : parseHeader(new TextDecoder().decode(bytes.subarray(0, end)));
  if (header === undefined) throw damaged(file, "it does not begin as one");
  const payload = Uint8Array.from(bytes.subarray(end + 1)); // a copy begins at an address that floats can
  if (sha256(payload) !== header.sha256) throw damaged(file, "its numbers are not those it was written with");
  if (header.engine !== engine || !sameStart(header.plan, plan, header.step)) {
    const was = JSON.stringify({ ...header.plan, engine: header.engine });
    throw new AppError(
      "spec-invalid",
      `cannot go on from the checkpoint "${file}": its ${header.step} steps were made with ${was}, and would be ` +
        `others with ${JSON.stringify({ ...plan, engine })}; use the same options, or another --out`,
      { file },
    );
  }
  const numbers = new Float32Array(payload.buffer);
  const { step, length, seconds } = header;
  if (numbers.length !== 4 * length + step) throw damaged(file, "it does not hold as many numbers as it says");
  const array = (i: number): Float32Array => numbers.slice(i * length, (i + 1) * length);
  return {
    state: { step, parameters: array(0), first: array(1), second: array(2), average: array(3) },
    losses: Array.from(numbers.subarray(4 * length)),
    seconds,
  };
}

const damaged = (file: string, why: string): AppError =>
  new AppError(
    "model-malformed",
    `cannot go on from the checkpoint "${file}": ${why}, so it was altered or cut; remove it to train from the start`,
    { file },
  );

function parseHeader(line: string): Header | undefined {
  try {
    const header: Partial<Header> = JSON.parse(line);
    const { plan, engine, step, length, seconds, sha256: digest } = header;
    const whole =
      header.format === format &&
      typeof plan === "object" &&
      [engine, digest].every((text) => typeof text === "string") &&
      [step, length, seconds].every((n) => typeof n === "number");
    return whole ? (header as Header) : undefined; // its fields were just looked at; what is in the plan is compared
  } catch {
    return undefined;
  }
}
