/** @file Exporting: the same graph gives the same bytes, whole or leaning on the file its weights came from. */
import { describe, expect, it } from "vitest";
import { GraphBuilder } from "../../shared/graph/builder.ts";
import { constantOf } from "../../shared/graph/constant.ts";
import type { Graph } from "../../shared/graph/ir.ts";
import { decode } from "../../shared/onnx/decode.ts";
import { exportModel } from "../../shared/onnx/export.ts";
import { externalLocations } from "../../shared/onnx/external.ts";
import { importModel } from "../../shared/onnx/import.ts";
import { type ModelProto, modelProto } from "../../shared/onnx/schema.ts";
import { bitsOf, randomFeeds, runOnnx } from "../support/run-onnx.ts";
import { modelBytes, node, tensorInfo, tinyClassifier, weights } from "../support/tiny-models.ts";

const graphOf = (bytes: Uint8Array): Graph => importModel(bytes).graph;
const messageOf = (graph: Graph): ModelProto => decode(modelProto, exportModel(graph));

describe("an exported graph", () => {
  it("is the same bytes every time, also when it has been imported again", () => {
    const graph = graphOf(tinyClassifier());
    const once = exportModel(graph);
    expect(exportModel(graph)).toEqual(once);
    expect(exportModel(graphOf(once))).toEqual(once);
  });

  it("computes what the original does, bit for bit", async () => {
    const bytes = tinyClassifier({ irVersion: 3, initializersAsInputs: true });
    const graph = graphOf(bytes);
    const feeds = randomFeeds(graph, 1);
    const [original, exported] = [await runOnnx(bytes, feeds), await runOnnx(exportModel(graph), feeds)];
    expect(bitsOf(exported.get("probabilities"))).toBe(bitsOf(original.get("probabilities")));
  });

  it.each([18, 19, 20, 21, 22, 23, 24])("of opset %i has an IR version that onnxruntime takes", async (opset) => {
    const graph = graphOf(tinyClassifier({ opset }));
    expect([...(await runOnnx(exportModel(graph), randomFeeds(graph, 1))).keys()]).toEqual(["probabilities"]);
  });

  it("keeps names, declared dimensions and metadata, and lists no weight among the inputs", () => {
    const graph = graphOf(tinyClassifier({ batch: "N", irVersion: 3, initializersAsInputs: true }));
    const message = messageOf({ ...graph, metadata: new Map([["backlight", '{"a":1}']]) });
    expect(message.graph?.input).toEqual([tensorInfo("image", ["N", 3, 8, 8])]);
    expect(message.metadata_props).toEqual([{ key: "backlight", value: '{"a":1}' }]);
    expect(message.graph?.node?.map((n) => n.name)).toContain("conv1");
  });

  it("leaves out the constants nothing reads", () => {
    const bytes = modelBytes({
      nodes: [node("Relu", ["x"], ["y"])],
      inputs: [tensorInfo("x", [1])],
      outputs: [tensorInfo("y", [1]), tensorInfo("used", [1])],
      initializers: [weights("unused", [1], [1]), weights("used", [1], [2])],
    });
    expect(messageOf(graphOf(bytes)).graph?.initializer?.map((t) => t.name)).toEqual(["used"]);
  });

  it("carries what it does not compute with: strings, narrow types, functions, subgraphs", async () => {
    const bytes = modelBytes({
      nodes: [node("Identity", ["words"], ["y"]), node("Relu", ["x"], ["z"])],
      inputs: [tensorInfo("x", [1])],
      outputs: [{ name: "y" }, { name: "z" }],
      initializers: [{ name: "words", dims: [2n], data_type: 8n, string_data: ["a", "bc"].map(utf8) }],
    });
    const graph = graphOf(bytes);
    const outputs = await runOnnx(exportModel(graph), randomFeeds(graph, 1));
    expect(outputs.get("y")?.data).toEqual(["a", "bc"]);

    const int4 = { name: "w", dims: [2n], data_type: 22n, raw_data: Uint8Array.of(0x21) };
    const narrow = modelBytes({
      nodes: [node("Identity", ["w"], ["y"])],
      inputs: [],
      outputs: [{ name: "y" }],
      initializers: [int4],
    });
    expect(messageOf(graphOf(narrow)).graph?.initializer).toEqual([int4]);
  });

  it("carries attributes that are no text byte for byte", () => {
    const bytes = modelBytes({
      nodes: [
        { ...node("Custom", ["x"], ["y"]), attribute: [{ name: "blob", s: Uint8Array.of(0xff, 0xfe), type: 3n }] },
      ],
      inputs: [tensorInfo("x", [1])],
      outputs: [{ name: "y" }],
    });
    const [custom] = messageOf(graphOf(bytes)).graph?.node ?? [];
    expect(custom?.attribute?.[0]?.s).toEqual(Uint8Array.of(0xff, 0xfe));
  });

  it("runs with a constant or an input among its outputs", async () => {
    const graph = graphOf(tinyClassifier());
    const [image] = graph.inputs;
    const builder = new GraphBuilder(graph);
    const constant = builder.constant(constantOf("float32", [2], [3, 4]));
    const both = { ...graph, outputs: [...graph.outputs, ...(image ? [image] : []), constant] };
    const feeds = randomFeeds(graph, 2);
    const outputs = await runOnnx(exportModel(both), feeds);
    expect(outputs.get(constant.name)?.data).toEqual(new Float32Array([3, 4]));
    expect(bitsOf(outputs.get("image"))).toBe(bitsOf(feeds["image"]));
  });
});

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

describe("external weights", () => {
  /** Reshape's shape is small and must stay in the file; the weight of 4 KiB need not. */
  const bytes = modelBytes({
    nodes: [node("Reshape", ["x", "shape"], ["r"]), node("MatMul", ["r", "w"], ["y"])],
    inputs: [tensorInfo("x", [1, 2, 16])],
    outputs: [tensorInfo("y", [1, 32])],
    initializers: [
      weights("shape", [2], [1, -1], "int64"),
      weights(
        "w",
        [32, 32],
        Array.from({ length: 1024 }, (_, i) => (i % 13) / 13),
      ),
    ],
  });
  const files = [{ location: "model.onnx", bytes }];

  it("are references to where they lie in the original file, the small ones excepted", () => {
    const small = exportModel(graphOf(bytes), { externalWeights: files });
    expect(small.length).toBeLessThan(700);
    const [shape, w] = decode(modelProto, small).graph?.initializer ?? [];
    expect([shape?.name, shape?.data_location, shape?.raw_data?.length]).toEqual(["shape", undefined, 16]);
    const entries = Object.fromEntries((w?.external_data ?? []).map((e) => [e.key, e.value]));
    expect(entries).toEqual({ location: "model.onnx", offset: expect.any(String), length: "4096" });
    const found = bytes.subarray(Number(entries["offset"]), Number(entries["offset"]) + 4096);
    expect(found).toEqual(decode(modelProto, bytes).graph?.initializer?.[1]?.raw_data);
    expect(externalLocations(small)).toEqual(["model.onnx"]);
  });

  it("give the same bits as weights inside the file", async () => {
    const graph = graphOf(bytes);
    const feeds = randomFeeds(graph, 4);
    const inside = await runOnnx(exportModel(graph), feeds);
    const external = [{ path: "model.onnx", data: bytes }];
    const outside = await runOnnx(exportModel(graph, { externalWeights: files }), feeds, { external });
    expect(bitsOf(outside.get("y"))).toBe(bitsOf(inside.get("y")));
  });

  it("are only what lies in the given files, which may be views themselves", () => {
    const room = new Uint8Array(bytes.length + 100);
    room.set(bytes, 60);
    const view = room.subarray(60, 60 + bytes.length);
    const graph = graphOf(view);
    const locationOf = (given: Uint8Array): bigint | undefined =>
      decode(modelProto, exportModel(graph, { externalWeights: [{ location: "m", bytes: given }] })).graph
        ?.initializer?.[1]?.data_location;
    expect(locationOf(view)).toBe(1n);
    expect(locationOf(bytes)).toBeUndefined();
    expect(locationOf(room.subarray(0, 80))).toBeUndefined();
    expect(locationOf(room.slice())).toBeUndefined();
    const offsets = [view, room].map(
      (given) =>
        decode(
          modelProto,
          exportModel(graph, { externalWeights: [{ location: "m", bytes: given }] }),
        ).graph?.initializer?.[1]?.external_data?.find((e) => e.key === "offset")?.value,
    );
    expect(Number(offsets[1]) - Number(offsets[0])).toBe(60);
  });

  it("survive being imported again and exported whole", () => {
    const small = exportModel(graphOf(bytes), { externalWeights: files });
    const { graph } = importModel(small, { external: () => bytes });
    expect(exportModel(graph)).toEqual(exportModel(graphOf(bytes)));
  });
});
