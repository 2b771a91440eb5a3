/** @file `explain --meta`: the step is in the result document, its size is judged, and wrong usage is refused. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { tinyWorkplace, type Workplace } from "./workplace.ts";

let place: Workplace;
beforeAll(async () => {
  place = await tinyWorkplace();
});
afterAll(() => place.remove());

const explain = (out: string, ...argv: readonly string[]) =>
  place.run(
    ...["explain", place.at("photo.png"), "--model", place.at("tiny.onnx"), "--out", place.at(out)],
    ...["--write", "json", "--method", "norm-grad", ...argv],
  );

describe("explain --meta", () => {
  it("auto writes the step it chose and what it did to the loss", async () => {
    const { code } = await explain("auto", "--meta", "auto");
    expect(code).toBe(0);
    const document = place.json("auto/photo.top1.norm-grad.json");
    expect(document).toMatchObject({
      meta: { sign: "descent", variant: "stop-gradient", weights: "all", step: expect.any(Number) },
      notes: expect.not.arrayContaining([expect.stringContaining("meta-saliency")]),
    });
  });

  it("warns in the document of a step too large to mean anything", async () => {
    const { code } = await explain("large", "--meta", "1000", "--meta-weights", "last:1");
    expect(code).toBe(0);
    expect(place.json("large/photo.top1.norm-grad.json")).toMatchObject({
      meta: { sign: "descent", weights: { last: 1 }, step: 1000 },
      notes: expect.arrayContaining([expect.stringContaining("too large to mean anything")]),
    });
  });

  it.each([
    [["--meta-sign", "ascent"], "--meta-sign needs --meta EPS"],
    [["--meta", "much"], '--meta takes a number from 0 to 1000, not "much"'],
    [["--meta", "0.1", "--meta-weights", "last"], '--meta-weights takes all or last:K, such as last:3, not "last"'],
    [["--meta", "0.1", "--meta-variant", "half"], "--meta-variant"],
    [["--meta", "0.1", "--meta-weights", "last:99"], "the model has 3"],
  ] as const)("refuses %s", async (argv, message) => {
    const { code, err } = await explain("refused", ...argv);
    expect(code).toBe(2);
    expect(err).toContain(message);
  });
});
