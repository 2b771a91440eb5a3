/** @file A deployment's sweeps over its API: what the command line does with `--to`. */
import { AppError } from "../../../shared/errors.ts";
import type { SweepStatus } from "../../../shared/sweeps/status.ts";

export interface Remote {
  post<T>(path: string, body?: unknown): Promise<T>;
  get<T>(path: string): Promise<T>;
}

/** The variable that holds the key: it is never given on the command line, which others may see. */
export const keyVariable = "BACKLIGHT_API_KEY";

/** Whoever does not answer for so long is not there. */
const answerMilliseconds = 60_000;

/** Throws `request-invalid` without a key; what the API refuses is thrown with its own words. */
export function openRemote(
  address: string,
  environment: Readonly<Record<string, string | undefined>>,
  signal: AbortSignal,
): Remote {
  const key = environment[keyVariable];
  if (key === undefined) {
    throw new AppError(
      "request-invalid",
      `cannot sweep "${address}": set ${keyVariable} to a key with the scope sweep`,
    );
  }
  const ask = async (path: string, init: RequestInit): Promise<unknown> => {
    const headers = { authorization: `Bearer ${key}`, "content-type": "application/json" };
    const within = AbortSignal.any([signal, AbortSignal.timeout(answerMilliseconds)]);
    const response = await fetch(new URL(path, address), { ...init, headers, signal: within }).catch(
      (cause: unknown) => {
        throw new AppError("fetch-failed", `"${address}" does not answer`, { address }, { cause });
      },
    );
    const text = await response.text();
    if (response.ok) return JSON.parse(text);
    throw new AppError("request-invalid", `${address} refuses (${response.status}): ${detailOf(text)}`);
  };
  return {
    // The API's answers are of the types that functions/http/sweeps.ts gives.
    post: async <T>(path: string, body?: unknown) =>
      (await ask(path, { method: "POST", ...(body !== undefined && { body: JSON.stringify(body) }) })) as T,
    get: async <T>(path: string) => (await ask(path, {})) as T,
  };
}

function detailOf(text: string): string {
  try {
    const problem: unknown = JSON.parse(text);
    if (typeof problem === "object" && problem !== null && "detail" in problem) return String(problem.detail);
  } catch {
    // Not one of our problem documents: its text is all there is.
  }
  return text.slice(0, 200);
}

const pollMilliseconds = 2_000;
const overStates = new Set<SweepStatus["state"]>(["complete", "cancelled", "aborted"]);

/** Looks until the sweep is over. */
export async function followRemote(
  remote: Remote,
  id: string,
  signal: AbortSignal,
  onStatus: (status: SweepStatus) => void,
): Promise<SweepStatus> {
  for (;;) {
    const status = await remote.get<SweepStatus>(`/v1/sweeps/${id}`);
    onStatus(status);
    if (overStates.has(status.state)) return status;
    await new Promise((resolve) => setTimeout(resolve, pollMilliseconds));
    signal.throwIfAborted();
  }
}
