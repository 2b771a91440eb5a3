/** @file A sweep in one workerd against what the same Worker takes for one explanation it is asked for. */
import type { SweepStatus } from "../../shared/sweeps/status.ts";
import type { Stack } from "../stack/stack.ts";
import { freshPhoto } from "./photo.ts";
import { ask, publishNet, startServing } from "./served.ts";
import { median, type Row } from "./sweep-common.ts";

const net = "squeezenet1.1";
/** Some twenty seconds' work, against which beginning and report are small. */
const images = 120;
const rounds = 3;
/** Before and after each sweep; the engine's code is compiled, and compiled better, during the first. */
const asked = 24;
const pollMilliseconds = 250;

/** Milliseconds of each of some explanations, one after another. */
async function explainSome(stack: Stack): Promise<readonly number[]> {
  const times: number[] = [];
  for (let i = 0; i < asked; i += 1) {
    const start = performance.now();
    const init = { method: "POST", body: freshPhoto(), headers: { accept: "application/json" } };
    await (await ask(stack, "/v1/explain", init)).arrayBuffer();
    times.push(performance.now() - start);
  }
  return times;
}

/** Milliseconds an image. */
async function sweepOnce(stack: Stack, id: string): Promise<number> {
  for (let i = 0; i < images; i += 1) {
    await stack.store.put(`images/${id}/${i}.jpg`, freshPhoto(), { contentType: "image/jpeg" });
  }
  const start = performance.now();
  const body = JSON.stringify({ id, source: `images/${id}/`, model: net });
  await ask(stack, "/v1/sweeps", { method: "POST", body, headers: { "content-type": "application/json" } });
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, pollMilliseconds));
    const status = (await (await ask(stack, `/v1/sweeps/${id}`)).json()) as SweepStatus; // the API's own answer
    if (status.state === "complete") return (performance.now() - start) / images;
    if (status.counts.failed > 0) throw new Error(JSON.stringify(status.lastFailures));
  }
}

export async function measureEdge(): Promise<readonly Row[]> {
  const stack = await startServing(net);
  try {
    await publishNet(stack.store, net);
    await explainSome(stack);
    const [sweeps, explanations, ratios]: [number[], number[], number[]] = [[], [], []];
    for (let round = 0; round < rounds; round += 1) {
      const before = await explainSome(stack);
      const sweep = await sweepOnce(stack, `round-${round}`);
      const explanation = median([...before, ...(await explainSome(stack))]);
      sweeps.push(sweep);
      explanations.push(explanation);
      ratios.push(sweep / explanation);
    }
    return [
      [`ms an image of a sweep of ${images} in one workerd, ${net}`, median(sweeps).toFixed(0), ""],
      ["ms an explanation asked for, in the same", median(explanations).toFixed(0), ""],
      ["the sweep against it", `${median(ratios).toFixed(2)}x`, "<= 1.15x"],
    ];
  } finally {
    await stack.stop();
  }
}
