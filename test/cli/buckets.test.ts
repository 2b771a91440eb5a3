/** @file The command line over a real S3 server: images of a bucket as inputs, models published into it. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { s3Store } from "../../shared/storage/s3.ts";
import { type S3Server, startMiniflareS3 } from "../support/s3-servers.ts";
import { picture } from "../support/service.ts";
import { tinyClassifier } from "../support/tiny-models.ts";
import { type Workplace, workplace } from "./workplace.ts";

let server: S3Server;
let place: Workplace;
beforeAll(async () => {
  server = await startMiniflareS3();
  place = workplace({
    BACKLIGHT_S3_ENDPOINT: server.endpoint,
    BACKLIGHT_S3_REGION: server.region,
    BACKLIGHT_S3_ACCESS_KEY_ID: server.credentials.accessKeyId,
    BACKLIGHT_S3_SECRET_ACCESS_KEY: server.credentials.secretAccessKey,
  });
  const store = s3Store(server);
  for (const [i, key] of ["photos/a.png", "photos/b.png", "photos/deep/c.png", "photos/notes.txt"].entries()) {
    await store.put(key, await picture(i), { contentType: "image/png" });
  }
  place.write("tiny.onnx", tinyClassifier({ size: 32 }));
  place.write("tiny.card.json", JSON.stringify({ name: "tiny", preprocessing: { family: "unit" } }));
});
afterAll(async () => {
  place.remove();
  await server.stop();
});

const explain = (...inputs: readonly string[]) =>
  place.run("explain", ...inputs, "--model", place.at("tiny.onnx"), "--out", place.at("out"), "--write", "json");

describe("a bucket on the command line", () => {
  it("gives one object, a prefix's pictures, or all below it", async () => {
    const counts = [];
    for (const args of [["photos/a.png"], ["photos/"], ["photos/", "--recursive"]]) {
      const { code, out } = await explain(`s3://${server.bucket}/${args[0]}`, ...args.slice(1));
      expect(code).toBe(0);
      counts.push(out.trim().split("\n").length);
    }
    expect(counts).toEqual([1, 2, 3]);
    expect(place.list("out")).toContain("a.top1.norm-grad-selective.json");
  });

  it("lists what is not there and does the rest", async () => {
    const { code, err } = await explain(`s3://${server.bucket}/photos/none.png`, `s3://${server.bucket}/photos/b.png`);
    expect(code).toBe(1);
    expect(err).toContain(`there is no such object`);
    expect((await explain(`s3://${server.bucket}/empty/`)).code).toBe(2);
  });

  it("takes a model with its explainers compiled ahead", async () => {
    const { code, out } = await place.run(
      "models",
      "add",
      place.at("tiny.onnx"),
      "--to",
      `s3://${server.bucket}`,
      "--methods",
      "norm-grad,grad-cam",
    );
    expect([code, out]).toEqual([0, expect.stringContaining("models/tiny/card.json")]);
    const { objects } = await s3Store(server).list({ prefix: "explainers/" });
    expect(objects).toHaveLength(2);
  });
});
