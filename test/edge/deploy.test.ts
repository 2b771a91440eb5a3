/** @file Deploying: the plan agrees with wrangler.toml and the code, and the dry run shows it without an account. */
import { spawnSync } from "node:child_process";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { readNames } from "../../infra/deploy/names.ts";
import { deployPlan, planText } from "../../infra/deploy/plan.ts";
import { sizeProblem, sizeText } from "../../infra/deploy/size.ts";
import { readConfig } from "../../infra/stack/config.ts";
import { API_KEYS_VARIABLE } from "../../shared/access/api-keys.ts";
import { imagePrefix } from "../../shared/pipeline/layout.ts";

const root = path.resolve(import.meta.dirname, "../..");
const names = { bucket: "photos", queue: "events", deadLetterQueue: "events-failed", otherQueues: ["work"] };

describe("the deployment plan", () => {
  it("makes what the Worker needs before the Worker, and its secrets after it", () => {
    const commands = deployPlan(names).map(({ make }) => make.join(" "));
    expect(commands).toEqual([
      "r2 bucket create photos",
      "queues create events-failed",
      "queues create events",
      "queues create work",
      `r2 bucket notification create photos --event-type object-create --prefix ${imagePrefix} --queue events`,
      "deploy --minify",
      `secret put ${API_KEYS_VARIABLE}`,
      "secret put BACKLIGHT_SIGNING_KEYS",
    ]);
  });

  it("looks whether each thing is there before it makes it, except the Worker", () => {
    const unchecked = deployPlan(names).filter(({ found }) => found === undefined);
    expect(unchecked.map(({ make }) => make[0])).toEqual(["deploy"]);
  });

  it("is printed with a number and a command a step", () => {
    const lines = planText(deployPlan(names)).split("\n");
    expect(lines.slice(0, 2)).toEqual([
      ' 1. bucket "photos" unless it is there',
      "      wrangler r2 bucket create photos",
    ]);
    expect(lines.length).toBe(16);
  });

  it("has the names of wrangler.toml, which agree with each other", async () => {
    const config = await readConfig();
    const { bucket, queue, deadLetterQueue, otherQueues } = await readNames();
    expect(config.queues.producers?.map((p) => p.queue)).toEqual([queue, "backlight-sweeps"]);
    expect(config.queues.consumers?.map((c) => c.queue)).toEqual([queue, deadLetterQueue, ...otherQueues]);
    expect(config.r2_buckets.map((b) => b.bucket_name)).toEqual([bucket]);
    expect(config.compatibility_flags).toContain("global_fetch_strictly_public");
    expect(config.vars["BACKLIGHT_ALLOWED_URLS"]).toBe("");
    expect(config.vars["BACKLIGHT_PUBLIC_READS"]).toBe("false");
  });
});

describe("the size of the bundle", () => {
  it("is refused beyond either limit, with the numbers", () => {
    expect(sizeProblem({ rawBytes: 16e6, compressedBytes: 4.4e6 })).toBeUndefined();
    expect(sizeProblem({ rawBytes: 70e6, compressedBytes: 4.4e6 })).toMatch(/70000000 bytes uncompressed, at most 67/);
    expect(sizeProblem({ rawBytes: 16e6, compressedBytes: 6e6 })).toMatch(/6000000 bytes compressed, at most 5000000/);
    expect(sizeText({ rawBytes: 16e6, compressedBytes: 4.4e6 })).toMatch(/^4\.40 MB compressed \(of 5\.00\), 16\.00 /);
  });
});

describe("the dry run", () => {
  it("prints the plan and the size of the real bundle, without an account", () => {
    const { CLOUDFLARE_API_TOKEN: _, ...env } = process.env;
    const command = ["--import", "tsx", "infra/deploy/deploy.ts", "--dry-run"];
    const { status, stdout, stderr } = spawnSync(process.execPath, command, { cwd: root, env, encoding: "utf8" });
    expect(stderr).toBe("");
    expect(status).toBe(0);
    expect(stdout).toContain("wrangler r2 bucket create backlight\n");
    expect(stdout).toMatch(/\nbundle: 4\.\d\d MB compressed \(of 5\.00\), 1\d\.\d\d MB uncompressed/);
  });
});
