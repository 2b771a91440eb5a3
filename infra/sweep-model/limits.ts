/** @file What the platform allows, each with where it is from and when it was looked up. Numbers only. */

/** A limit of Cloudflare's paid plan. */
export interface Limit {
  readonly value: number;
  readonly unit: string;
  readonly source: string;
}

const page = (name: string): string => `developers.cloudflare.com, ${name} limits, November 2026`;

export const limits = {
  workflowSteps: { value: 1_024, unit: "steps an instance", source: page("Workflows") },
  stepResult: { value: 1_048_576, unit: "bytes a step's result", source: page("Workflows") },
  instanceState: { value: 1e9, unit: "bytes an instance", source: page("Workflows") },
  instanceName: { value: 100, unit: "characters an instance's name", source: page("Workflows") },
  instancesCreated: { value: 100, unit: "instances created a second", source: page("Workflows") },
  messageBytes: { value: 128_000, unit: "bytes a message", source: page("Queues") },
  sendBatch: { value: 100, unit: "messages sent at once", source: page("Queues") },
  sendBatchBytes: { value: 256_000, unit: "bytes sent at once", source: page("Queues") },
  messagesPerSecond: { value: 5_000, unit: "messages a second a queue", source: page("Queues") },
  consumers: { value: 250, unit: "consumers at once", source: page("Queues") },
  backlogBytes: { value: 25e9, unit: "bytes waiting in a queue", source: page("Queues") },
  // The platform allows 300,000.
  consumerCpu: { value: 60_000, unit: "ms of CPU a consumer's call", source: "wrangler.toml, cpu_ms" },
  consumerWall: { value: 900_000, unit: "ms a consumer's call", source: page("Queues") },
  subrequests: { value: 10_000, unit: "calls an invocation", source: page("Workers") },
  isolateBytes: { value: 128e6, unit: "bytes an isolate", source: page("Workers") },
  keyBytes: { value: 1_024, unit: "bytes a key", source: page("R2") },
} as const satisfies Readonly<Record<string, Limit>>;

export type LimitName = keyof typeof limits;
