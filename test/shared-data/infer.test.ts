/** @file Inference on real files: what prepare says of every tensor is what the runtime then computes. */
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { Dim, Graph, Shape, Value } from "../../shared/graph/ir.ts";
import { prepare } from "../../shared/graph/prepare.ts";
import { verify } from "../../shared/graph/verify.ts";
import { importModel } from "../../shared/onnx/import.ts";
import { measure } from "../support/measure.ts";
import { hasSharedData, sharedData } from "../support/shared-data.ts";

/** What onnxruntime itself refuses to run, and import with it. */
const refused = new Set(["lrn_size4_even", "bin_add6_legacy_broadcast"]);

interface GoldenOperator {
  readonly name: string;
  readonly model: string;
  readonly outputs: readonly { readonly shape: readonly number[] }[];
}

const onnxFiles = (...folder: string[]): readonly string[] =>
  hasSharedData ? readdirSync(sharedData(...folder)).filter((f) => f.endsWith(".onnx")) : [];
const operators: readonly GoldenOperator[] = hasSharedData
  ? // JSON.parse gives `any`; the manifest's fields are described in golden/README.md.
    (JSON.parse(readFileSync(sharedData("golden", "ops", "manifest.json"), "utf8")) as GoldenOperator[])
  : [];

const imported = (...path: string[]) => importModel(new Uint8Array(readFileSync(sharedData(...path))));

function prepared(...path: string[]): Graph {
  const { graph, declared } = imported(...path);
  const result = prepare(graph, { declared });
  verify(result);
  return result;
}

const inner = (graph: Graph): readonly Value[] => graph.nodes.flatMap((n) => n.outputs).filter((v) => v !== null);

describe.runIf(hasSharedData)("the operator battery", () => {
  it.each(operators.filter((o) => !refused.has(o.name)))("$name", ({ model, outputs }) => {
    const graph = prepared("golden", "ops", model);
    expect(graph.outputs.map((v) => v.type?.shape)).toEqual(outputs.map((o) => o.shape));
    expect(inner(graph).filter((v) => v.type === undefined)).toEqual([]);
  });
});

const isStatic = (shape: Shape): boolean => shape.every((d: Dim) => typeof d === "number");

describe.runIf(hasSharedData).each(["data/models", "data/models/light"])("the models of %s", (folder) => {
  it.each(onnxFiles(folder))("%s: every inferred shape is the one computed", async (file) => {
    const symbolic = prepared(folder, file);
    expect(inner(symbolic).filter((v) => v.type === undefined)).toEqual([]);

    const { graph } = imported(folder, file);
    const batchOne = new Map(
      graph.inputs.map((v) => [
        v.name,
        (v.type?.shape ?? []).map((d, i) => (i === 0 && typeof d === "string" ? 1 : d)),
      ]),
    );
    const fixed = prepare(graph, { inputShapes: batchOne });
    verify(fixed);
    const found = await measure({ ...fixed, outputs: inner(fixed) });
    for (const value of inner(fixed)) {
      expect(isStatic(value.type?.shape ?? ["?"]), value.name).toBe(true);
      const { dtype, dims } = found.get(value.name) ?? {};
      expect({ dtype, shape: dims }, value.name).toEqual(value.type);
    }
  });
});

const convolutional = [
  "squeezenet1_1_fp32",
  "squeezenet1_0_tf_fp32",
  "mobilenetv2_1.0_224_fp32",
  "mobilenetv1_0.25_128_deq",
  "vww_96_mobilenetv1_025",
  "resnet50v2_trunk_fittedhead",
  "light/light_squeezenet",
  "light/light_densenet121",
];

/** The value of a dimension's expression at these extents. */
const evaluated = (dim: Dim, symbols: Readonly<Record<string, number>>): number =>
  Number(
    new Function(...Object.keys(symbols), `return ${String(dim).replace(/\b(floor|min|max)\(/g, "Math.$1(")}`)(
      ...Object.values(symbols),
    ),
  );

describe.runIf(hasSharedData)("fully convolutional models with symbolic height and width", () => {
  it.each(convolutional)("%s: the expressions give what each size gives", (name) => {
    const { graph } = imported("data", "models", `${name}.onnx`);
    const [input] = graph.inputs;
    const channels = input?.type?.shape[1] ?? 3;
    const at = (n: Dim, h: Dim, w: Dim) =>
      prepare(graph, { inputShapes: new Map([[input?.name ?? "", [n, channels, h, w]]]) });
    const symbolic = new Map(inner(at("N", "H", "W")).map((v) => [v.name, v.type?.shape]));
    for (const [N, H, W] of [
      [1, 224, 224],
      [2, 333, 500],
      [5, 97, 161],
    ] as const) {
      for (const value of inner(at(N, H, W))) {
        expect(
          symbolic.get(value.name)?.map((d) => evaluated(d, { N, H, W })),
          value.name,
        ).toEqual(value.type?.shape);
      }
    }
  });
});

describe.runIf(hasSharedData)("models made for one size refuse another, naming the node", () => {
  const refusals: readonly (readonly [string, string, readonly number[], RegExp])[] = [
    ["mnist_onnxjsdemo", "Input3", [1, 1, 56, 56], /Reshape \(Times212_reshape0\)/],
    ["cifar10_resnet20", "image", [1, 3, 64, 64], /Reshape \(view\) -> "flat" would turn a batch of 1 into 81 rows/],
    ["cifar10_vit_pgd_2_3_16", "input", [1, 3, 64, 64], /"0.positions" \[5,48\]/],
    ["deeplabv3_mnv2_voc_513_fp32", "image", [1, 3, 257, 257], /Concat/],
    ["light/light_vgg19", "data_0", [1, 3, 448, 448], /Reshape .* cannot have shape \[1,25088\]/],
  ];
  it.each(refusals)("%s", (name, input, shape, message) => {
    const { graph } = imported("data", "models", `${name}.onnx`);
    expect(() => prepare(graph, { inputShapes: new Map([[input, shape]]) })).toThrowError(message);
  });
});
