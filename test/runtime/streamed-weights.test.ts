/** @file Weights from a stream, tensor by tensor: the right bytes, however they come, and let go of when read. */
import { describe, expect, it } from "vitest";
import { readWeights, type StreamedWeightsOptions, type TensorRange } from "../../shared/runtime/streamed-weights.ts";

const file = Uint8Array.from({ length: 1000 }, (_, i) => (i * 7) % 251);

function streamOf(bytes: Uint8Array, chunk: number): ReadableStream<Uint8Array> {
  let at = 0;
  return new ReadableStream({
    pull(controller) {
      if (at >= bytes.length) return controller.close();
      controller.enqueue(bytes.slice(at, at + chunk));
      at += chunk;
    },
  });
}

const read = (ranges: readonly TensorRange[], options: Partial<StreamedWeightsOptions> = {}, chunk = 64) =>
  readWeights(streamOf(file, chunk), ranges, { path: "w.bin", keep: false, ...options });

const apart = [
  { offset: 10, length: 90 },
  { offset: 500, length: 300 },
  { offset: 100, length: 1 },
];

describe("streamed weights", () => {
  it.each([1, 7, 64, 5000])("are the ranges of the file, read in chunks of %i", async (chunk) => {
    const weights = await read(apart, {}, chunk);
    for (const { offset, length } of apart) {
      expect([...weights.file.subarray(offset, offset + length)]).toEqual([...file.subarray(offset, offset + length)]);
    }
  });

  it("may overlap and repeat", async () => {
    const ranges = [
      { offset: 0, length: 100 },
      { offset: 50, length: 20 },
      { offset: 0, length: 100 },
    ];
    const weights = await read(ranges);
    for (const { offset, length } of ranges) {
      expect([...weights.file.subarray(offset, offset + length)]).toEqual([...file.subarray(offset, offset + length)]);
    }
    expect(weights.missed()).toBe(false);
  });

  it("say how long the file is as far as they go", async () => {
    expect((await read(apart)).file.byteLength).toBe(800);
    expect((await read([])).file.byteLength).toBe(0);
  });

  it("are let go of when the next one is read, and all at the end", async () => {
    const reads: number[] = [];
    const weights = await read(apart, { onRead: () => reads.push(weights.heldBytes()) });
    for (const { offset, length } of apart) weights.file.subarray(offset, offset + length);
    expect(reads).toEqual([391, 391, 301]);
    expect(weights.heldBytes()).toBe(1);
    weights.release();
    expect(weights.heldBytes()).toBe(0);
  });

  it("notice a second read of what was let go of, unless they are kept", async () => {
    const [first, second] = apart as [TensorRange, TensorRange]; // written above
    const readTwice = (weights: Awaited<ReturnType<typeof read>>): void => {
      for (const { offset, length } of [first, second, first]) weights.file.subarray(offset, offset + length);
    };
    const passing = await read(apart);
    expect(() => readTwice(passing)).toThrow("no longer held");
    expect(passing.missed()).toBe(true);
    const kept = await read(apart, { keep: true });
    readTwice(kept);
    expect([kept.missed(), kept.heldBytes()]).toEqual([false, 391]);
  });

  it("refuse a file that ends too soon", async () => {
    await expect(read([{ offset: 900, length: 101 }])).rejects.toMatchObject({
      code: "model-missing-data",
      message: expect.stringMatching(/"w\.bin": it has 1000 bytes where the model refers to 1001; it is truncated/),
    });
  });

  it("stop reading where the last tensor ends, and when cancelled", async () => {
    let cancelled = 0;
    let pulled = 0;
    const endless = (): ReadableStream<Uint8Array> =>
      new ReadableStream({
        pull: (controller) => {
          pulled += 1;
          controller.enqueue(new Uint8Array(10));
        },
        cancel: () => {
          cancelled += 1;
        },
      });
    await readWeights(endless(), [{ offset: 0, length: 25 }], { path: "w.bin", keep: false });
    expect([cancelled, pulled < 10]).toEqual([1, true]);
    const signal = AbortSignal.abort();
    const given = readWeights(endless(), [{ offset: 0, length: 25 }], { path: "w.bin", keep: false, signal });
    await expect(given).rejects.toMatchObject({ code: "cancelled" });
    expect(cancelled).toBe(2);
  });
});
