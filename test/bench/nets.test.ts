/** @file The benchmark's networks have the published sizes, their marks exist, and their arithmetic is right. */
import { describe, expect, it } from "vitest";
import { nets } from "../../infra/bench/nets.ts";
import { type Configuration, configurations, median, ratio } from "../../infra/bench/results.ts";
import { volume } from "../../shared/graph/constant.ts";
import { namedValues } from "../../shared/graph/walk.ts";
import { compileExplainer } from "../../shared/saliency/compile.ts";
import { defaultSpec } from "../../shared/saliency/spec.ts";

/** Published numbers of parameters, with BatchNormalization's running statistics, or without it where it is folded. */
const parameters: Readonly<Record<string, number>> = {
  "squeezenet1.1": 1_235_496,
  mobilenetv2: 3_504_872 - 17_056,
  resnet18: 11_689_512 - 4_800,
  resnet50: 25_557_032 - 26_560,
  "resnet50-batchnorm": 25_557_032 + 2 * 26_560,
  "vit-tiny": 5_717_416,
};

describe.each(Object.keys(nets))("the benchmark's %s", (name) => {
  const net = nets[name]?.();
  if (net === undefined) throw new TypeError("the key exists");
  const values = namedValues(net.graph);

  it("has as many parameters as published", () => {
    const constants = [...values.values()].flatMap((v) => v.constant ?? []).filter((c) => c.dtype === "float32");
    const count = constants.reduce((sum, c) => sum + (c.dims.length === 0 ? 0 : volume(c.dims)), 0);
    expect(count).toBe(parameters[name]);
  });

  it("compiles at each of its marks, the deeper the fewer nodes", () => {
    const sizes = [net.last, net.middle, net.early].map((layer) => {
      expect([...values.keys()]).toContain(layer);
      return compileExplainer(net.graph, { ...defaultSpec, layers: [layer] }, { sha256: "" }).graph.nodes.length;
    });
    expect(sizes).toEqual(sizes.toSorted((a, b) => a - b));
    expect(new Set(sizes).size).toBe(3);
  });
});

describe("the benchmark's arithmetic", () => {
  it("takes the middle value, or the mean of the two", () => {
    expect([median([3, 1, 2]), median([4, 1, 2, 3])]).toEqual([2, 2.5]);
  });

  it("takes ratios round by round, so that a slow round does not count twice", () => {
    const empty = Object.fromEntries(configurations.map((c) => [c, []])) as Record<Configuration, never[]>; // all names
    const times = { ...empty, forward: [10, 100, 10], last: [11, 110, 11] };
    expect(ratio({ times, stages: [] }, "last")).toBeCloseTo(1.1, 12);
  });
});
