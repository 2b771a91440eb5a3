/** @file What a deployment consists of, as data: what has to be there, how to see it, how to make it. Runs nothing. */

/** One thing a deployment needs. Commands are wrangler's arguments. */
export interface Step {
  /** What it makes, for the plan. */
  readonly what: string;
  /** How to see whether it is there: the command succeeds, and its output has the text. Absent: always made anew. */
  readonly found?: { readonly command: readonly string[]; readonly says?: string };
  readonly make: readonly string[];
  /** Whether making it asks for a value. */
  readonly asks?: boolean;
}

/** What the plan is made from: the names of wrangler.toml. */
export interface DeployNames {
  readonly bucket: string;
  readonly queue: string;
  readonly deadLetterQueue: string;
  /** Queues that nothing but the Worker sends to. */
  readonly otherQueues: readonly string[];
}

/** Uploads below it are explained (shared/pipeline/layout.ts). */
const uploadPrefix = "images/";

/** Secrets, by their names in functions/settings.ts. */
const secrets: readonly (readonly [string, string])[] = [
  ["BACKLIGHT_API_KEYS", "who may write, by digests of keys: id:sha256, comma-separated"],
  ["BACKLIGHT_SIGNING_KEYS", "keys of signed URLs: id:hex of 32 bytes or more, comma-separated"],
];

/** The steps in the order they depend on each other. A secret needs the Worker it belongs to. */
export function deployPlan({ bucket, queue, deadLetterQueue, otherQueues }: DeployNames): readonly Step[] {
  return [
    {
      what: `bucket "${bucket}"`,
      found: { command: ["r2", "bucket", "info", bucket] },
      make: ["r2", "bucket", "create", bucket],
    },
    ...[deadLetterQueue, queue, ...otherQueues].map((name) => ({
      what: `queue "${name}"`,
      found: { command: ["queues", "info", name] },
      make: ["queues", "create", name],
    })),
    {
      what: `notification of uploads below ${uploadPrefix} to the queue`,
      found: { command: ["r2", "bucket", "notification", "list", bucket], says: queue },
      make: [
        ...["r2", "bucket", "notification", "create", bucket],
        ...["--event-type", "object-create", "--prefix", uploadPrefix, "--queue", queue],
      ],
    },
    { what: "the Worker with its bindings, consumers, Workflow and cron triggers", make: ["deploy", "--minify"] },
    ...secrets.map(([name, meaning]) => ({
      what: `secret ${name} (${meaning})`,
      found: { command: ["secret", "list"], says: `"${name}"` },
      make: ["secret", "put", name],
      asks: true,
    })),
  ];
}

/** The plan as text, a line a step with the command that makes it. */
export function planText(steps: readonly Step[]): string {
  return steps
    .map(({ what, found, make }, i) => {
      const when = found === undefined ? "" : " unless it is there";
      return `${String(i + 1).padStart(2)}. ${what}${when}\n      wrangler ${make.join(" ")}`;
    })
    .join("\n");
}
