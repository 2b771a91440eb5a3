/** @file Sweeps as JSON and manifests as lines: what is read, and what is refused with which words. */
import { describe, expect, it } from "vitest";
import { readSweep } from "../../shared/sweeps/definition.ts";
import { doneKey, readDoneKey } from "../../shared/sweeps/layout.ts";
import { lineReader, linesOf } from "../../shared/sweeps/manifest.ts";
import { concentrationOf } from "../../shared/sweeps/measure.ts";

const read = (body: unknown) => readSweep(body, { model: "tiny" });

describe("a sweep's definition", () => {
  it("fills in every default", () => {
    expect(read({ source: "images/" })).toEqual({
      id: null,
      dryRun: false,
      cron: null,
      definition: {
        source: { kind: "prefix", prefix: "images/" },
        questions: [{ model: "tiny", target: "top1" }],
        batch: 20,
        maxConcurrency: 10,
        toleratedFailures: { count: null, percent: null, minimumSample: 50 },
        limit: null,
        sample: null,
      },
    });
  });

  it("crosses methods, layers and targets", () => {
    const { questions } = read({
      source: "images/",
      methods: ["grad-cam", "norm-grad"],
      targets: ["top1", 3],
    }).definition;
    expect(questions.map((q) => `${q.method} ${q.target}`)).toEqual([
      "grad-cam top1",
      "grad-cam 3",
      "norm-grad top1",
      "norm-grad 3",
    ]);
  });

  const refused: readonly (readonly [string, unknown, RegExp])[] = [
    ["no object", [], /"body" is no object/],
    ["no source", {}, /"source" names images of the bucket/],
    ["a prefix elsewhere", { source: "models/" }, /images are below images\//],
    ["an unknown field", { source: "images/", batchSize: 3 }, /"batchSize" is not known; there are id, source/],
    ["an unknown method", { source: "images/", methods: ["grad-cm"] }, /grad-cam/],
    ["a batch too large", { source: "images/", batch: 101 }, /"batch" is a number from 1 to 100/],
    ["half a batch", { source: "images/", batch: 1.5 }, /"batch" is a whole number/],
    ["an id of capitals", { source: "images/", id: "A B" }, /cannot name a sweep/],
    ["the id of the definitions' folder", { source: "images/", id: "definitions" }, /cannot name a sweep/],
    ["too many questions", { source: "images/", targets: Array.from({ length: 65 }, (_, i) => i) }, /65 questions/],
  ];
  for (const [what, body, why] of refused) {
    it(`is refused with ${what}`, () => expect(() => read(body)).toThrow(why));
  }
});

describe("a manifest's line", () => {
  const problem = (line: string): string | undefined => lineReader("jsonl")(line, 7)?.problem;

  it("that is wrong says so with its number", () => {
    expect(problem("[1]")).toBe('line 7: it is no object such as {"key": "images/a.jpg"}');
    expect(problem('{"key": "images/a.jpg", "boxes": [[1, 2, 3]]}')).toMatch(
      /^line 7: a box is \[x, y, width, height\]/,
    );
    expect(problem('{"key": "images/a.jpg", "class": 1.5}')).toMatch(/neither an index nor a name/);
    expect(problem(`{"key": "images/${"x".repeat(16_000)}"}`)).toMatch(/longer than 16000/);
  });

  it("of a CSV may be quoted", () => {
    const csv = lineReader("csv");
    expect(csv("key,name", 1)).toBe(null);
    expect(csv('"images/a, ""b"".jpg",cat', 2)).toMatchObject({ key: 'images/a, "b".jpg', name: "cat" });
    expect(csv('"images/a', 3)?.problem).toBe("line 3: its quotes do not close");
    expect(() => lineReader("csv")("file,class", 1)).toThrow(/"key" is not among "file, class"/);
  });

  it("is found wherever chunks end", async () => {
    const bytes = new TextEncoder().encode("a\r\nüb\n\nc");
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        for (const byte of bytes) controller.enqueue(Uint8Array.of(byte));
        controller.close();
      },
    });
    const lines: string[] = [];
    for await (const line of linesOf(body)) lines.push(line);
    expect(lines).toEqual(["a", "üb", "", "c"]);
  });
});

it("a shard's counts are read back from its mark's key", () => {
  const counts = { succeeded: 18, skipped: 0, failed: 2, dropped: 0 };
  const key = doneKey({ sweep: "s", run: 2 }, 41, counts);
  expect(key).toBe("sweeps/s/redrives/2/done/00000041.18.0.2.0");
  expect(readDoneKey(key)).toEqual({ shard: 41, counts });
  expect(readDoneKey("sweeps/s/done/x")).toBe(null);
});

it("a map's concentration is what its largest tenth holds", () => {
  expect(concentrationOf(new Float32Array(100).fill(1))).toBeCloseTo(0.1, 6);
  expect(concentrationOf(new Float32Array(100).fill(0).fill(1, 0, 5))).toBe(1);
  expect(concentrationOf(new Float32Array(100).fill(-1))).toBe(null);
});
