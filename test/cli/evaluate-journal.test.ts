/** @file `backlight evaluate` after an interruption: nothing is done twice, and nothing that is done is lost. */
import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { dataset, evaluate, voc } from "./evaluate-place.ts";
import { spawnProgram, tinyWorkplace, type Workplace } from "./workplace.ts";

let place: Workplace;
let folder: string;
beforeAll(async () => {
  place = await tinyWorkplace();
  const boxes = [0, 1, 2, 3].map((i) => [`Annotations/${i}.xml`, voc([["cat", [1, 1, 20, 20]]])] as const);
  folder = await dataset(place, "four", 4, Object.fromEntries(boxes));
});
afterAll(() => place.remove());

describe("the journal", () => {
  const how = ["--methods", "norm-grad,gradient", "--layers", "relu1,relu2"];

  it("lets a second run find all results of the first, and a larger one those it has", async () => {
    const once = await evaluate(place, "pointing", folder, "journal", ...how, "--limit", "2");
    const lines = (): number => readFileSync(place.at("journal", "journal.jsonl"), "utf8").split("\n").length - 1;
    expect(lines()).toBe(4);
    const again = await evaluate(place, "pointing", folder, "journal", ...how, "--limit", "2");
    expect(again.out).toBe(once.out);
    expect(lines()).toBe(4);
    await evaluate(place, "pointing", folder, "journal", ...how);
    expect(lines()).toBe(8);
    // A tolerance changes what is a hit, not where the maps point.
    await evaluate(place, "pointing", folder, "journal", ...how, "--tolerance", "1");
    expect(lines()).toBe(8);
    await evaluate(place, "pointing", folder, "journal", ...how, "--smoothing", "0.1");
    expect(lines()).toBe(16);
  });

  it("with a torn last line loses that line alone", async () => {
    const file = place.at("journal", "journal.jsonl");
    const whole = readFileSync(file, "utf8").trimEnd().split("\n");
    const torn = `${whole.slice(0, 7).join("\n")}\n${whole[7]?.slice(0, 40)}`;
    writeFileSync(file, torn);
    const { code } = await evaluate(place, "pointing", folder, "journal", ...how);
    expect(code).toBe(0);
    const after = readFileSync(file, "utf8").split("\n");
    expect(after.slice(0, 7)).toEqual(whole.slice(0, 7));
    expect(after[8]).toBe(whole[7]);
    appendFileSync(file, '{"v":2,"key":"of another form"}\n');
    expect((await evaluate(place, "pointing", folder, "journal", ...how)).code).toBe(0);
  });

  it("survives a killed process, whose work is not done again", async () => {
    const many = await dataset(place, "killed", 30, {
      ...Object.fromEntries(Array.from({ length: 30 }, (_, i) => [`labels/${i}.txt`, `${i % 5} 0.5 0.5 0.4 0.4\n`])),
    });
    const argv = ["evaluate", "pointing", many, "--model", place.at("tiny.onnx"), "--json", ...how];
    const killed = await spawnProgram([...argv, "--out", place.at("kill")], place.folder, (kill, err) => {
      if ((err.match(/loading the explainer/g) ?? []).length >= 2) kill("SIGKILL");
    });
    expect(killed.code).not.toBe(0);
    expect(place.list("kill")).toEqual(["journal.jsonl"]);
    const done = readFileSync(place.at("kill", "journal.jsonl"), "utf8").split("\n").length - 1;
    expect(done).toBeGreaterThan(0);
    expect(done).toBeLessThan(60);
    const resumed = await evaluate(place, "pointing", many, "kill", ...how);
    const fresh = await evaluate(place, "pointing", many, "fresh", ...how);
    expect(resumed.code).toBe(0);
    expect(resumed.document.rows).toEqual(fresh.document.rows);
    const keys = (out: string): readonly string[] =>
      readFileSync(place.at(out, "journal.jsonl"), "utf8").trimEnd().split("\n").sort();
    expect(keys("kill")).toEqual(keys("fresh"));
  });
});
