/** @file The other commands end to end on a tiny model, the general manners of the program, and the program itself. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { commands, exitCodes } from "../../infra/cli/main.ts";
import { importModel } from "../../shared/onnx/import.ts";
import { openRuntime } from "../../shared/runtime/choose.ts";
import { type RunTensor, tensorNamed } from "../../shared/runtime/runtime.ts";
import { modelBytes, node, randomNumbers, tensorInfo, tinyClassifier, weights } from "../support/tiny-models.ts";
import { noise, pngOf, spawnProgram, tinyWorkplace, type Workplace } from "./workplace.ts";

let place: Workplace;
beforeAll(async () => {
  place = await tinyWorkplace();
});
afterAll(() => place.remove());

const image: RunTensor = { dtype: "float32", dims: [1, 3, 8, 8], data: randomNumbers(5, 192) };

async function runFile(name: string, feeds: Readonly<Record<string, RunTensor>>, weights?: string) {
  const external =
    weights === undefined ? [] : [{ path: weights, data: new Uint8Array(readFileSync(place.at(weights))) }];
  const session = await (await openRuntime("wasm")).create(new Uint8Array(readFileSync(place.at(name))), { external });
  const outputs = await session.run(feeds);
  await session.release();
  return outputs;
}
const target = (value: bigint): RunTensor => ({ dtype: "int64", dims: [1], data: BigInt64Array.of(value) });

describe("layers", () => {
  it("lists name, operator, shape, stride and cost, and marks what auto takes", async () => {
    const { code, out } = await place.run("layers", place.at("tiny.onnx"));
    expect(code).toBe(0);
    const lines = out.split("\n").map((line) => line.trim().split(/ {2,}/));
    expect(lines[0]).toEqual(["name", "operator", "layout", "shape", "stride", "cost"]);
    expect(lines.find((l) => l.includes("pool1"))).toEqual([
      "pool1",
      "MaxPool",
      "nchw",
      "[1, 8, 4, 4]",
      "2",
      expect.any(String),
    ]);
    expect(out).toMatch(/^\* {2}relu2 /m);
  });

  it("gives the same as JSON, and only the recommended ones where asked", async () => {
    const all = JSON.parse((await place.run("layers", place.at("tiny.onnx"), "--json")).out);
    const few = JSON.parse((await place.run("layers", place.at("tiny.onnx"), "--json", "--recommended")).out);
    expect(few.layers).toEqual(all.layers.filter((l: { recommended: boolean }) => l.recommended));
    expect(few.layers.length).toBeGreaterThan(0);
    expect(few.layers.length).toBeLessThan(all.layers.length);
  });
});

describe("compile", () => {
  it("writes one self-contained file that any runtime runs: the model's outputs bit for bit, and the map", async () => {
    const { code, out } = await place.run(
      "compile",
      place.at("tiny.onnx"),
      "-o",
      place.at("explainer.onnx"),
      "--layers",
      "relu1",
    );
    expect(code).toBe(0);
    expect(out).toContain("relu1  [1, 8, 8, 8]");
    const outputs = await runFile("explainer.onnx", { image, target: target(2n) });
    expect(Object.keys(outputs)).toEqual(["probabilities", "saliency"]);
    expect(outputs["saliency"]?.dims).toEqual([1, 1, 8, 8]);
    expect(outputs["probabilities"]).toEqual((await runFile("tiny.onnx", { image }))["probabilities"]);
  });

  it("records in the file what it was made from", async () => {
    await place.run("compile", place.at("tiny.onnx"), "-o", place.at("explainer.onnx"), "--method", "grad-cam");
    const { graph } = importModel(new Uint8Array(readFileSync(place.at("explainer.onnx"))));
    expect(JSON.parse(graph.metadata.get("backlight") ?? "")).toMatchObject({
      source: { sha256: expect.stringMatching(/^[0-9a-f]{64}$/) },
      spec: { method: { head: { kind: "grad-cam" } } },
      objectiveTensor: "logits",
    });
  });

  it("refers to the model's own bytes with --external-weights, with the same results", async () => {
    const at = [place.at("tiny.onnx"), "-o"] as const;
    const inline = JSON.parse((await place.run("compile", ...at, place.at("inline.onnx"), "--json")).out);
    const small = JSON.parse(
      (await place.run("compile", ...at, place.at("small.onnx"), "--json", "--external-weights")).out,
    );
    expect(small.bytes).toBeLessThan(inline.bytes);
    const feeds = { image, target: target(-1n) };
    expect(await runFile("small.onnx", feeds, "tiny.onnx")).toEqual(await runFile("inline.onnx", feeds));
  });

  it("returns each layer's raw map with --layer-maps", async () => {
    await place.run(
      "compile",
      place.at("tiny.onnx"),
      "-o",
      place.at("maps.onnx"),
      "--layers",
      "relu1,pool1",
      "--layer-maps",
    );
    const outputs = await runFile("maps.onnx", { image, target: target(0n) });
    expect(outputs["map/pool1"]?.dims).toEqual([1, 1, 4, 4]);
    expect(outputs["saliency"]?.dims).toEqual([1, 1, 8, 8]);
  });

  it("writes nothing where it cannot: no -o, the model itself, a weights reference that leads upwards", async () => {
    mkdirSync(place.at("below"), { recursive: true });
    const model = place.at("tiny.onnx");
    const before = readFileSync(model);
    for (const [argv, message] of [
      [[], /-o FILE says where/],
      [["-o", model], /is the model itself/],
      [["-o", place.at("below", "x.onnx"), "--external-weights"], /references lead only downwards/],
      [["-o", place.at("x.onnx"), "--layers", "gap"], /"gap" has shape \[1, 6, 1, 1\]: no map of locations/],
    ] as const) {
      const { code, err } = await place.run("compile", model, ...argv);
      expect(err).toMatch(message);
      expect(code).toBe(2);
    }
    expect(readFileSync(model)).toEqual(before);
    expect([...place.list("below"), ...place.list().filter((n) => n === "x.onnx" || n.endsWith(".tmp"))]).toEqual([]);
  });
});

describe("gradient", () => {
  it("writes the vector-Jacobian product: of the logits' sum by the last bias it is all ones", async () => {
    const argv = [
      "gradient",
      place.at("tiny.onnx"),
      "-o",
      place.at("g.onnx"),
      "--of",
      "logits",
      "--wrt",
      "fc.bias",
      "image",
    ];
    expect((await place.run(...argv)).code).toBe(0);
    const ones: RunTensor = { dtype: "float32", dims: [1, 5], data: new Float32Array(5).fill(1) };
    const outputs = await runFile("g.onnx", { image, "cotangent/logits": ones });
    expect(tensorNamed(outputs, "gradient/fc.bias", "float32").data).toEqual(new Float32Array(5).fill(1));
    expect(outputs["gradient/image"]?.dims).toEqual([1, 3, 8, 8]);
  });

  it("takes every floating-point output and input where nothing is named", async () => {
    const { out } = await place.run("gradient", place.at("tiny.onnx"), "-o", place.at("g.onnx"), "--json");
    const { inputs, outputs } = JSON.parse(out);
    expect(inputs.map((v: { name: string }) => v.name)).toEqual(["image", "cotangent/probabilities"]);
    expect(outputs.map((v: { name: string }) => v.name)).toEqual(["gradient/image"]);
  });

  it("names the nearest tensor for one that does not exist, and leaves no file", async () => {
    const { code, err } = await place.run(
      "gradient",
      place.at("tiny.onnx"),
      "-o",
      place.at("no.onnx"),
      "--wrt",
      "imge",
    );
    expect([code, err]).toEqual([2, expect.stringMatching(/"imge".*"image"/)]);
    expect(place.list()).not.toContain("no.onnx");
  });
});

describe("check", () => {
  it("agrees with finite differences at layers and input, and finds outputs equal to the bit", async () => {
    const { code, out } = await place.run("check", place.at("tiny.onnx"), "--layers", "relu1,conv2", "--json");
    const { ok, differing, slopes } = JSON.parse(out);
    expect([code, ok, differing]).toEqual([0, true, []]);
    expect(new Set(slopes.map((s: { tensor: string }) => s.tensor))).toEqual(new Set(["relu1", "conv2", "image"]));
    for (const { error } of slopes) expect(error).toBeLessThan(0.01);
  });

  it("checks at a given picture too", async () => {
    const { code, out } = await place.run("check", place.at("tiny.onnx"), "--input", place.at("photo.png"));
    expect([code, out]).toEqual([0, expect.stringMatching(/equal to the bit.*\nok\n$/)]);
  });

  it("fails with exit code 1 where slopes are not what the backward pass says", async () => {
    // Rounding to millionths has gradient zero where it has one, and over any step float32 can tell the slope 1.
    place.write(
      "round.onnx",
      modelBytes({
        nodes: [
          node("Mul", ["image", "million"], ["large"]),
          node("Round", ["large"], ["whole"]),
          node("Div", ["whole", "million"], ["rounded"]),
          node("Add", ["rounded", "image"], ["both"]),
          node("GlobalAveragePool", ["both"], ["gap"]),
          node("Flatten", ["gap"], ["logits"]),
        ],
        inputs: [tensorInfo("image", [1, 3, 8, 8])],
        outputs: [tensorInfo("logits", [1, 3])],
        initializers: [weights("million", [1], [1e6])],
      }),
    );
    const { code, out } = await place.run("check", place.at("round.onnx"), "--layers", "input");
    expect([code, out]).toEqual([1, expect.stringMatching(/along the gradient +100 % .* WRONG/)]);
    expect(out).toContain("the check FAILED");
  });
});

describe("models", () => {
  it("adds, lists, shows, uses and removes a model by name, with its card", async () => {
    expect((await place.run("models", "list")).err).toContain("is empty");
    expect((await place.run("models", "add", place.at("tiny.onnx"), "--name", "little")).code).toBe(0);
    expect(place.list("catalogue/little")).toEqual(["card.json", "model.onnx", "sha256"]);
    const listed = JSON.parse((await place.run("models", "list", "--json")).out);
    expect(listed).toEqual([{ name: "little", folder: place.at("catalogue/little"), sha256: expect.any(String) }]);
    expect(JSON.parse((await place.run("models", "show", "little", "--json")).out)).toMatchObject({
      name: "little",
      inputs: [{ name: "image", dtype: "float32", shape: [1, 3, 8, 8] }],
      card: { name: "tiny" },
    });
    const used = await place.run(
      "explain",
      place.at("photo.png"),
      "-m",
      "little",
      "-t",
      "bee",
      "-o",
      place.at("named"),
    );
    expect(used.code).toBe(0);
    expect(place.list("named")).toContain("photo.bee.norm-grad-selective.overlay.png");
    expect((await place.run("models", "remove", "little")).code).toBe(0);
    expect(place.list("catalogue")).toEqual([]);
  });

  it("refuses a file that was changed after it was added", async () => {
    await place.run("models", "add", place.at("tiny.onnx"), "--name", "changed");
    writeFileSync(place.at("catalogue/changed/model.onnx"), tinyClassifier({ seed: 2 }));
    const { code, err } = await place.run("layers", "changed");
    expect([code, err]).toEqual([
      2,
      expect.stringMatching(/is not the one that was added: its SHA-256 is [0-9a-f]{64}/),
    ]);
    await place.run("models", "remove", "changed");
  });

  it("adds nothing that is no model, and no second one of a name", async () => {
    expect((await place.run("models", "add", place.at("photo.png"))).code).toBe(2);
    await place.run("models", "add", place.at("tiny.onnx"));
    const again = await place.run("models", "add", place.at("tiny.onnx"));
    expect([again.code, again.err]).toEqual([2, expect.stringMatching(/the catalogue has one/)]);
    expect(place.list("catalogue")).toEqual(["tiny"]);
    expect((await place.run("models", "add", place.at("tiny.onnx"), "--name", "../x")).err).toContain(
      "names have letters",
    );
  });

  it("refuses an action it does not have", async () => {
    const { code, err } = await place.run("models", "ad", "x");
    expect([code, err]).toEqual([2, expect.stringMatching(/no action "ad": did you mean add\?/)]);
  });
});

describe("every command", () => {
  it.each(Object.keys(commands))("%s explains itself with --help and refuses unknown options", async (name) => {
    const { code, out } = await place.run(name, "--help");
    expect(code).toBe(0);
    expect(out).toMatch(new RegExp(`^backlight ${name}: .*\\n\\nusage: backlight ${name} `));
    for (const option of Object.keys(commands[name]?.options ?? {})) expect(out).toContain(`--${option}`);
    const wide = out.split("\n").filter((line) => line.length > 120);
    expect(wide).toEqual([]);
    expect((await place.run(name, "x", "y", "--zzz")).code).toBe(exitCodes.usage);
  });
});

describe("the program", () => {
  it("runs from any folder, with relative paths, and exits with what it says", async () => {
    mkdirSync(place.at("elsewhere"), { recursive: true });
    const argv = ["explain", "../photo.png", "--model", "../tiny.onnx", "--write", "npy", "--layers", "last"];
    const { code, out, err } = await spawnProgram(argv, place.at("elsewhere"));
    expect(code, err).toBe(0);
    expect(out).toContain("../photo.png");
    expect(place.list("elsewhere/out")).toEqual(["photo.top1.norm-grad-selective.npy"]);
    const wrong = await spawnProgram(["expalin"], place.folder);
    expect(wrong).toMatchObject({
      code: 2,
      out: "",
      err: 'error: backlight has no command "expalin": did you mean explain?\n',
    });
  });

  it("prints its version and, asked nothing, what it can do", async () => {
    const { version } = JSON.parse(readFileSync("package.json", "utf8"));
    expect(await place.run("--version")).toMatchObject({ code: 0, out: `${version}\n` });
    const { code, out } = await place.run();
    expect(code).toBe(2);
    for (const name of Object.keys(commands)) expect(out).toContain(`  ${name} `);
  });

  it("prints stacks only with --debug", async () => {
    const plain = await place.run("layers", "gone.onnx");
    const debug = await place.run("layers", "gone.onnx", "--debug");
    expect(plain.err.split("\n").filter((l) => l !== "")).toHaveLength(1);
    expect(debug.err).toMatch(/\n {4}at .*files\.ts/);
  });

  it("stops at Ctrl-C between two images with code 130, and leaves whole files only", async () => {
    mkdirSync(place.at("stop/photos"), { recursive: true });
    for (let i = 0; i < 60; i += 1) place.write(`stop/photos/p${i}.png`, await pngOf(noise(9, 9, i)));
    let killed = false;
    const argv = ["explain", "photos", "--model", "../tiny.onnx", "--write", "json"];
    const { code, err } = await spawnProgram(argv, place.at("stop"), (kill, said) => {
      if (!killed && said.includes("(3 of 60)")) {
        killed = true;
        kill("SIGINT");
      }
    });
    expect(err).toMatch(/error: .*cancelled\n$/);
    expect(code).toBe(130);
    const files = place.list("stop/out");
    expect(files.length).toBeGreaterThan(0);
    expect(files.length).toBeLessThan(60);
    for (const file of files) expect(place.json(`stop/out/${file}`)).toMatchObject({ schema: 1 });
  });
});
