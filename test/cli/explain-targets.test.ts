/** @file `backlight explain` for what is no single class: sums and differences, and regions of a dense output. */
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readNpy } from "../../shared/imaging/npy.ts";
import { type Ran, tinyWorkplace, type Workplace } from "./workplace.ts";

let place: Workplace;
beforeAll(async () => {
  place = await tinyWorkplace();
});
afterAll(() => place.remove());

/** Explains with the tiny model into a folder of its own. */
async function explain(out: string, ...argv: readonly string[]): Promise<Ran> {
  return place.run("explain", "--model", place.at("tiny.onnx"), "--out", place.at(out), ...argv);
}
const npy = (name: string) => readNpy(readFileSync(place.at(name)));

describe("explain, for more than a class", () => {
  it("explains differences and sums of classes, beside single ones, as sums of their maps", async () => {
    const options = ["--method", "linear-approximation", "--layers", "last", "--write", "npy,json"];
    const { code } = await explain("sums", place.at("photo.png"), "--target", "0 - 2,0 + 2,0,2", ...options);
    expect(code).toBe(0);
    const map = (target: string) => npy(`sums/photo.${target}.linear-approximation.npy`).data;
    const [first, second] = [map("0"), map("2")];
    const largest = Math.max(...first.map(Math.abs), ...second.map(Math.abs));
    map("0---2").forEach((v, i) => {
      expect(Math.abs(v - ((first[i] ?? 0) - (second[i] ?? 0)))).toBeLessThan(1e-5 * largest);
    });
    map("0-2").forEach((v, i) => {
      expect(Math.abs(v - ((first[i] ?? 0) + (second[i] ?? 0)))).toBeLessThan(1e-5 * largest);
    });
    const { target } = JSON.parse(readFileSync(place.at("sums/photo.0---2.linear-approximation.json"), "utf8"));
    expect(target).toMatchObject({
      asked: "0 - 2",
      class: 0,
      rank: 0,
      terms: [{ class: 0 }, { class: 2, coefficient: -1 }],
    });
  });

  it("explains the scores in a region of a dense output", async () => {
    const dense = ["--output", "relu2", "--layers", "relu2", "--method", "gradient-sum", "--write", "npy"];
    const { code } = await explain("region", place.at("photo.png"), "--region", "0,0,1,1", ...dense);
    expect(code).toBe(0);
    const data = Array.from(npy("region/photo.top1.gradient-sum.npy").data);
    // The shares of the objective: all in the corner where the photo's first pixel lies.
    expect(data.indexOf(Math.max(...data))).toBe(0);
    expect(data.reduce((a, b) => a + b, 0)).toBeCloseTo(1, 5);
    const wrong = await explain("region", place.at("photo.png"), "--region", "9000,0,5,5", ...dense);
    expect(wrong.code).toBe(1);
    expect(wrong.err + wrong.out).toMatch(/region 9000,0,5,5 lies outside what the model sees/);
    expect((await explain("region", place.at("photo.png"), "--region", "1,2,3")).code).toBe(2);
  });
});
