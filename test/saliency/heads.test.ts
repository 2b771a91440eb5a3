/**
 * @file Every cell of the extract x aggregate grid against its definition: the explicit contributions at each location.
 */
import { describe, expect, it } from "vitest";
import { int, ints } from "../../shared/graph/attributes.ts";
import { emptyGraph, GraphBuilder } from "../../shared/graph/builder.ts";
import { constantOf, volume } from "../../shared/graph/constant.ts";
import type { Node } from "../../shared/graph/ir.ts";
import { type Aggregate, aggregates } from "../../shared/saliency/aggregate.ts";
import { type HeadSite, saliencyHead } from "../../shared/saliency/heads.ts";
import type { Extract, Head } from "../../shared/saliency/spec.ts";
import { evaluate, tensor } from "../support/evaluate.ts";
import { random } from "../support/random.ts";

const [N, K, H, W] = [2, 4, 5, 6];
/** Float64 against float64; only the order of summation differs. */
const tolerance = 1e-10;

interface Window {
  readonly kernel: number;
  readonly stride: number;
  readonly pad: number;
  readonly dilation: number;
  readonly group: number;
}
const point: Window = { kernel: 1, stride: 1, pad: 0, dilation: 1, group: 1 };
const box: Window = { ...point, kernel: 3, pad: 1 };

/** A tensor [N, C, H, W] read with zeros outside. */
class Field {
  readonly dims: readonly [number, number, number, number];
  readonly data: Float64Array;
  constructor(dims: readonly [number, number, number, number], data: Float64Array) {
    this.dims = dims;
    this.data = data;
  }
  at(n: number, c: number, y: number, x: number): number {
    const [, cs, hs, ws] = this.dims;
    const inside = y >= 0 && x >= 0 && y < hs && x < ws;
    return inside ? (this.data[((n * cs + c) * hs + y) * ws + x] ?? Number.NaN) : 0;
  }
}

const drawn = (dims: readonly [number, number, number, number], seed: number): Field => {
  const next = random(seed);
  return new Field(
    dims,
    Float64Array.from({ length: volume(dims) }, () => 2 * next() - 1),
  );
};

function patch(x: Field, w: Window, n: number, c: number, oy: number, ox: number): number[] {
  const taps: number[] = [];
  for (let i = 0; i < w.kernel; i++) {
    for (let j = 0; j < w.kernel; j++) {
      taps.push(x.at(n, c, oy * w.stride + i * w.dilation - w.pad, ox * w.stride + j * w.dilation - w.pad));
    }
  }
  return taps;
}

/** c_u of paper Table 1, flattened. */
function contributions(extract: Extract, x: Field, g: Field, w: Window, n: number, oy: number, ox: number): number[] {
  const channels = Array.from({ length: g.dims[1] }, (_, k) => k);
  const grad = (k: number): number => g.at(n, k, oy, ox);
  switch (extract) {
    case "bias":
      return channels.map(grad);
    case "scaling":
      return channels.map((k) => grad(k) * x.at(n, k, oy, ox));
    case "depthwise3x3":
      return channels.flatMap((k) => patch(x, box, n, k, oy, ox).map((p) => grad(k) * p));
    default: {
      const perGroup = g.dims[1] / w.group;
      const inputs = x.dims[1] / w.group;
      return channels.flatMap((k) => {
        const from = Math.floor(k / perGroup) * inputs;
        return Array.from({ length: inputs }, (_, i) => patch(x, w, n, from + i, oy, ox))
          .flat()
          .map((p) => grad(k) * p);
      });
    }
  }
}

const definitions: { readonly [A in Aggregate]: (c: readonly number[]) => number } = {
  sum: (c) => c.reduce((a, b) => a + b, 0),
  "positive-sum": (c) =>
    Math.max(
      0,
      c.reduce((a, b) => a + b, 0),
    ),
  "sum-abs": (c) => c.reduce((a, b) => a + Math.abs(b), 0),
  norm: (c) => Math.hypot(...c),
  "filter-norm": (c) => Math.hypot(...c.map((v) => Math.max(v, 0))),
  max: (c) => Math.max(...c),
  "max-abs": (c) => Math.max(...c.map(Math.abs)),
};

/** The head's map in float64, flattened. */
function mapOf(head: Head, x: Field, g: Field, conv?: Window): Float64Array {
  const builder = new GraphBuilder(emptyGraph());
  const xv = builder.input("x", { dtype: "float32", shape: x.dims });
  const gv = builder.input("g", { dtype: "float32", shape: g.dims });
  const weights =
    conv &&
    builder.constant(
      constantOf(
        "float32",
        [g.dims[1], x.dims[1] / conv.group, conv.kernel, conv.kernel],
        new Float32Array(volume([g.dims[1], x.dims[1] / conv.group, conv.kernel ** 2])),
      ),
    );
  const pair = (v: number): readonly number[] => [v, v];
  const node: Node | undefined = conv && {
    op: "Conv",
    domain: "",
    name: "conv",
    inputs: [xv, weights ?? null],
    outputs: [gv],
    attributes: new Map([
      ["strides", ints(pair(conv.stride))],
      ["dilations", ints(pair(conv.dilation))],
      ["pads", ints([...pair(conv.pad), ...pair(conv.pad)])],
      ["group", int(conv.group)],
    ]),
  };
  const site: HeadSite = { g: builder, x: xv, dy: gv, ...(node && { conv: node }) };
  const map = saliencyHead(site, head);
  expect(map.type?.shape).toEqual([g.dims[0], 1, g.dims[2], g.dims[3]]);
  const values = evaluate(
    builder,
    new Map([
      [xv, tensor(x.dims, x.data)],
      [gv, tensor(g.dims, g.data)],
    ]),
  );
  return values.get(map)?.data ?? new Float64Array();
}

function expectClose(actual: ArrayLike<number>, expected: readonly number[]): void {
  expect(actual.length).toBe(expected.length);
  const worst = expected.reduce((m, v, i) => Math.max(m, Math.abs(v - (actual[i] ?? Number.NaN))), 0);
  expect(worst).toBeLessThan(tolerance);
}

function expected(extract: Extract, aggregate: Aggregate, x: Field, g: Field, w: Window): number[] {
  const [n, , h, wd] = g.dims;
  return Array.from({ length: n * h * wd }, (_, u) => {
    const [i, y, c] = [Math.floor(u / (h * wd)), Math.floor(u / wd) % h, u % wd];
    return definitions[aggregate](contributions(extract, x, g, w, i, y, c));
  });
}

const grid = (extract: Extract, aggregate: Aggregate): Head => ({ kind: "grid", extract, aggregate });

describe("the closed form of a virtual layer equals the reduction of its explicit contributions", () => {
  const virtual: readonly (readonly [Extract, Window])[] = [
    ["bias", point],
    ["scaling", point],
    ["conv1x1", point],
    ["conv3x3", box],
    ["depthwise3x3", box],
  ];
  const cases = virtual.flatMap(([extract, w]) => aggregates.map((a) => [extract, a, w] as const));
  it.each(cases)("%s:%s", (extract, aggregate, w) => {
    const [x, g] = [drawn([N, K, H, W], 1), drawn([N, K, H, W], 2)];
    expectClose(mapOf(grid(extract, aggregate), x, g), expected(extract, aggregate, x, g, w));
  });
});

describe("the closed form of an existing convolution equals the reduction of its explicit contributions", () => {
  const windows: readonly (readonly [string, Window])[] = [
    ["3x3", box],
    ["3x3, stride 2", { ...box, stride: 2 }],
    ["5x5, stride 2, pad 2", { ...box, kernel: 5, stride: 2, pad: 2 }],
    ["3x3, dilated", { ...box, dilation: 2, pad: 2 }],
    ["two groups", { ...box, group: 2 }],
    ["depthwise", { ...box, group: K }],
  ];
  const cases = windows.flatMap(([name, w]) => aggregates.map((a) => [name, a, w] as const));
  it.each(cases)("%s, %s", (_name, aggregate, w) => {
    const size = (d: number): number => Math.floor((d + 2 * w.pad - ((w.kernel - 1) * w.dilation + 1)) / w.stride) + 1;
    const [x, g] = [drawn([N, K, H, W], 3), drawn([N, K, size(H), size(W)], 4)];
    expectClose(mapOf(grid("conv-real", aggregate), x, g, w), expected("conv-real", aggregate, x, g, w));
  });
});

describe("inequalities and invariances of method.md section 9", () => {
  const [x, g] = [drawn([N, K, H, W], 5), drawn([N, K, H, W], 6)];
  const map = (extract: Extract, aggregate: Aggregate, a = x, b = g): Float64Array =>
    mapOf(grid(extract, aggregate), a, b);
  const everywhere = (a: Float64Array, b: Float64Array): boolean => a.every((v, i) => v <= (b[i] ?? 0) + tolerance);

  it("orders the maps: |sum g x| and selective <= |g x| <= NormGrad <= NormGrad 3x3", () => {
    expect(everywhere(map("scaling", "sum").map(Math.abs), map("conv1x1", "norm"))).toBe(true);
    expect(everywhere(map("scaling", "filter-norm"), map("scaling", "norm"))).toBe(true);
    expect(everywhere(map("scaling", "norm"), map("conv1x1", "norm"))).toBe(true);
    expect(everywhere(map("scaling", "max-abs"), map("scaling", "norm"))).toBe(true);
    expect(everywhere(map("conv1x1", "norm"), map("conv3x3", "norm"))).toBe(true);
  });

  it("keeps NormGrad under a change of the objective's sign, and changes sum, max and filter-norm", () => {
    const negated = new Field(
      g.dims,
      g.data.map((v) => -v),
    );
    expectClose(map("conv1x1", "norm", x, negated), Array.from(map("conv1x1", "norm")));
    expectClose(
      map("scaling", "sum", x, negated),
      Array.from(map("scaling", "sum"), (v) => -v),
    );
    for (const a of ["filter-norm", "max"] as const) {
      expect(map("scaling", a, x, negated)).not.toEqual(map("scaling", a));
    }
  });

  it("keeps NormGrad under an orthogonal change of channels, which the selective variant does not", () => {
    const turn = (f: Field): Field => {
      const out = f.data.slice();
      const plane = H * W;
      for (let n = 0; n < N; n++) {
        for (let u = 0; u < plane; u++) {
          const [a, b] = [n * K * plane + u, n * K * plane + plane + u];
          const [p = 0, q = 0] = [f.data[a], f.data[b]];
          out[a] = 0.6 * p - 0.8 * q;
          out[b] = 0.8 * p + 0.6 * q;
        }
      }
      return new Field(f.dims, out);
    };
    expectClose(map("conv1x1", "norm", turn(x), turn(g)), Array.from(map("conv1x1", "norm")));
    expect(map("scaling", "filter-norm", turn(x), turn(g))).not.toEqual(map("scaling", "filter-norm"));
  });
});

describe("class activation maps", () => {
  const [x, g] = [drawn([N, K, H, W], 7), drawn([N, K, H, W], 8)];
  const all = <T>(f: (n: number, y: number, c: number) => T): T[] =>
    Array.from({ length: N * H * W }, (_, u) => f(Math.floor(u / (H * W)), Math.floor(u / W) % H, u % W));
  const channels = Array.from({ length: K }, (_, k) => k);
  const plane = (f: Field, n: number, k: number): number[] =>
    Array.from(f.data.slice((n * K + k) * H * W, (n * K + k + 1) * H * W));
  const total = (v: readonly number[]): number => v.reduce((a, b) => a + b, 0);

  it("weighs Grad-CAM's channels by the mean gradient", () => {
    const want = all((n, y, c) =>
      Math.max(0, total(channels.map((k) => (total(plane(g, n, k)) / (H * W)) * x.at(n, k, y, c)))),
    );
    expectClose(mapOf({ kind: "grad-cam" }, x, g), want);
  });

  it("weighs LayerCAM's positions by their own positive gradient", () => {
    const want = all((n, y, c) =>
      Math.max(0, total(channels.map((k) => Math.max(0, g.at(n, k, y, c)) * x.at(n, k, y, c)))),
    );
    expectClose(mapOf({ kind: "layer-cam" }, x, g), want);
  });

  it("weighs Grad-CAM++'s channels by normalised positive gradients", () => {
    const weight = (n: number, k: number): number => {
      const sum = total(plane(x, n, k));
      return total(plane(g, n, k).map((v) => Math.max(0, v) / (2 + sum * Math.max(0, v))));
    };
    const want = all((n, y, c) => Math.max(0, total(channels.map((k) => weight(n, k) * x.at(n, k, y, c)))));
    const got = mapOf({ kind: "grad-cam++" }, x, g);
    const scale = Math.max(1, ...want);
    expectClose(
      got.map((v) => v / scale),
      want.map((v) => v / scale),
    );
  });
});
