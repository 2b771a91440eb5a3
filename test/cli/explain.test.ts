/** @file `backlight explain` end to end on a tiny model: what is written, what is said, how it ends. */
import { readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { decodeImage } from "../../shared/imaging/decode.ts";
import { NODE_LIMITS } from "../../shared/imaging/limits.ts";
import { readNpy, writeNpy } from "../../shared/imaging/npy.ts";
import { nodeCodecs } from "../../shared/runtime/node-codecs.ts";
import { modelBytes, node, tensorInfo, tinyClassifier, weights } from "../support/tiny-models.ts";
import { noise, pngOf, type Ran, tinyWorkplace, type Workplace } from "./workplace.ts";

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

describe("explain, for one image", () => {
  it("writes the overlay and the result document and says where", async () => {
    const { code, out } = await explain("one", place.at("photo.png"));
    expect(code).toBe(0);
    expect(place.list("one")).toEqual([
      "photo.top1.norm-grad-selective.json",
      "photo.top1.norm-grad-selective.overlay.png",
    ]);
    expect(out).toMatch(
      /photo\.png {2}\S.* \d+\.\d % \(class \d, rank 1\) {2}norm-grad-selective {2}-> {2}.*overlay\.png/,
    );
    const picture = readFileSync(place.at("one", "photo.top1.norm-grad-selective.overlay.png"));
    const { width } = await decodeImage(picture, nodeCodecs(), NODE_LIMITS);
    expect(width).toBeGreaterThanOrEqual(384); // small photos are drawn larger
  });

  it("says in the result document what was asked, found and done", async () => {
    await explain("document", place.at("photo.png"), "--target", "bee", "--layers", "relu1,relu2", "--weights", "1,3");
    expect(place.json("document/photo.bee.norm-grad-selective.json")).toMatchObject({
      schema: 1,
      input: { width: 12, height: 10, sha256: expect.stringMatching(/^[0-9a-f]{64}$/), header: { format: "png" } },
      model: { name: "tiny", sha256: expect.stringMatching(/^[0-9a-f]{64}$/) },
      explainer: { sha256: expect.stringMatching(/^[0-9a-f]{64}$/) },
      prediction: { probabilities: "softmax", top: { length: 5 } },
      target: { asked: "bee", class: 1, name: "bee" },
      method: "norm-grad-selective",
      objective: { name: "logit", tensor: "logits" },
      layers: [
        { name: "relu1", weight: 0.25 },
        { name: "relu2", weight: 0.75 },
      ],
      combine: "product",
      map: { kind: "combination", shape: [8, 8], flat: false, signed: false },
      preprocessing: { guessed: false, recipe: { width: 8, height: 8, fit: { kind: "squash" } } },
      geometry: { photo: { width: 12, height: 10 }, input: { width: 8, height: 8 } },
      timings: { run: expect.any(Number) },
      versions: { runtime: expect.stringMatching(/^onnxruntime-web/) },
      files: { overlay: "photo.bee.norm-grad-selective.overlay.png" },
    });
  });

  it("gives probabilities that sum to one and come from the model's own softmax", async () => {
    const { out } = await explain("sum", place.at("photo.png"), "--json", "--write", "json");
    const { results } = JSON.parse(out);
    const top: readonly { probability: number; score: number }[] = results[0].prediction.top;
    expect(top.reduce((sum, t) => sum + t.probability, 0)).toBeCloseTo(1, 6);
    const [a, b] = top;
    expect(Math.log((a?.probability ?? 0) / (b?.probability ?? 1))).toBeCloseTo((a?.score ?? 0) - (b?.score ?? 0), 5);
  });

  it("writes raw maps: one layer's at its own size, several combined at the input's and each at its own", async () => {
    const photo = place.at("photo.png");
    await explain("raw1", photo, "--layers", "pool1", "--write", "npy");
    await explain("raw2", photo, "--layers", "relu1,pool1", "--write", "npy", "--method", "norm-grad");
    expect(place.list("raw1")).toEqual(["photo.top1.norm-grad-selective.npy"]);
    expect(npy("raw1/photo.top1.norm-grad-selective.npy")).toMatchObject({ dtype: "float32", dims: [4, 4] });
    expect(npy("raw2/photo.top1.norm-grad.npy").dims).toEqual([8, 8]);
    expect(npy("raw2/photo.top1.norm-grad.relu1.npy").dims).toEqual([8, 8]);
    expect(npy("raw2/photo.top1.norm-grad.pool1.npy").dims).toEqual([4, 4]);
  });

  it("explains several classes, a rank and the last one alike to the class they mean", async () => {
    const { out } = await explain(
      "ranks",
      place.at("photo.png"),
      "--target",
      "top1,top5",
      "--target",
      "-5",
      "--json",
      "--write",
      "npy",
    );
    const { results } = JSON.parse(out);
    const [top, fifth, last] = results;
    expect(last.target.class).toBe(fifth.target.class);
    expect([top.target.rank, fifth.target.rank]).toEqual([1, 5]);
    expect(npy("ranks/photo.5.norm-grad-selective.npy")).toEqual(npy("ranks/photo.top5.norm-grad-selective.npy"));
    await explain("ranks", place.at("photo.png"), "--target", String(top.target.class), "--write", "npy");
    expect(npy(`ranks/photo.${top.target.class}.norm-grad-selective.npy`)).toEqual(
      npy("ranks/photo.top1.norm-grad-selective.npy"),
    );
  });

  it("takes a .npy in the model's shape as the tensor itself", async () => {
    const data = Float32Array.from({ length: 192 }, (_, i) => Math.sin(i));
    const whole = place.write("whole.npy", writeNpy([1, 3, 8, 8], data));
    const unbatched = place.write("unbatched.npy", writeNpy([3, 8, 8], data));
    expect((await explain("npy", whole, unbatched, "--write", "npy,overlay")).code).toBe(0);
    expect(npy("npy/whole.top1.norm-grad-selective.npy")).toEqual(npy("npy/unbatched.top1.norm-grad-selective.npy"));
    const wrong = place.write("wrong.npy", writeNpy([3, 8, 7], new Float32Array(168)));
    const refused = await explain("npy2", wrong);
    expect(refused.code).toBe(1);
    expect(refused.err).toContain('cannot feed an array of shape [3, 8, 7] to the input "image" of shape [1, 3, 8, 8]');
  });

  it("gives the same files from the native engine, up to rounding", async () => {
    const photo = place.at("photo.png");
    await explain("wasm", photo, "--write", "npy");
    expect((await explain("native", photo, "--write", "npy", "--runtime", "native")).code).toBe(0);
    const [a, b] = ["wasm", "native"].map((out) => npy(`${out}/photo.top1.norm-grad-selective.npy`).data);
    const differences = Array.from(a ?? [], (x, i) => Math.abs(x - (b?.[i] ?? Number.NaN)));
    expect(Math.max(...differences)).toBeLessThan(1e-5);
    expect(differences.length).toBe(64);
  });

  it("draws the grid of all extracts and aggregates, and methods side by side, and then nothing else", async () => {
    const photo = place.at("photo.png");
    expect((await explain("grid", photo, "--grid", "--layers", "conv2", "--target", "cat")).code).toBe(0);
    expect(place.list("grid")).toEqual(["photo.cat.grid.png"]);
    const compared = await explain("compare", photo, "--compare", "norm-grad,grad-cam", "--target", "top1,top2");
    expect(compared.code).toBe(0);
    expect(place.list("compare")).toEqual(["photo.compare.png"]);
  });

  it("says without a card that preprocessing is a guess", async () => {
    place.write("bare.onnx", tinyClassifier());
    const { err, code } = await place.run(
      "explain",
      place.at("photo.png"),
      "--model",
      place.at("bare.onnx"),
      "--out",
      place.at("bare"),
    );
    expect(code).toBe(0);
    expect(err).toContain("no model card: preprocessing is a guess");
    expect(place.json("bare/photo.top1.norm-grad-selective.json")).toMatchObject({
      preprocessing: { card: null, guessed: true },
    });
  });

  it("says loudly that a map is flat", async () => {
    // At the input of a global average pool every location has the same gradient.
    const { err } = await explain("flat", place.at("photo.png"), "--layers", "relu2", "--method", "gradient-sum");
    expect(err).toMatch(/FLAT MAP .*photo\.png/);
    expect(place.json("flat/photo.top1.gradient-sum.json")).toMatchObject({ map: { flat: true } });
  });

  it("fetches a picture from the web, and says why where it cannot", async () => {
    const png = readFileSync(place.at("photo.png"));
    const server: Server = createServer((request, response) => {
      if (request.url === "/photo.png?size=1") response.end(png);
      else response.writeHead(404).end();
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo; // a TCP server's address is an object
    const site = `http://127.0.0.1:${port}`;
    const { code, err } = await explain("web", `${site}/photo.png?size=1`, `${site}/gone.png`);
    server.close();
    expect(code).toBe(1);
    expect(place.list("web")).toContain("photo.top1.norm-grad-selective.overlay.png");
    expect(err).toContain('gone.png": the server answered 404');
  });
});

describe("explain, for many images", () => {
  it("explains the good ones of a directory, lists the bad with reasons, and exits with 1", async () => {
    const { mkdirSync } = await import("node:fs");
    mkdirSync(place.at("photos", "deeper"), { recursive: true });
    place.write("photos/a.png", await pngOf(noise(9, 9)));
    place.write("photos/b.png", "not a picture at all");
    place.write("photos/c.png", (await pngOf(noise(20, 20))).subarray(0, 300));
    place.write("photos/d.gif", "GIF89a");
    place.write("photos/notes.txt", "skipped");
    place.write("photos/deeper/e.png", await pngOf(noise(9, 9, 5)));
    const { code, out, err } = await explain("many", place.at("photos"), "--json");
    expect(code).toBe(1);
    const { results, failures } = JSON.parse(out);
    expect(results.map((r: { input: { source: string } }) => r.input.source)).toEqual([place.at("photos/a.png")]);
    expect(failures.map((f: { input: string; code: string }) => [f.input, f.code])).toEqual([
      [place.at("photos/b.png"), "image-unreadable"],
      [place.at("photos/c.png"), "image-unreadable"],
      [place.at("photos/d.gif"), "image-unreadable"],
    ]);
    expect(err).toContain("1 of 4 inputs explained, 3 failed");
    expect(err).toContain("1 files are no pictures by their names and were skipped");
    expect(place.list("many")).toEqual(["a.top1.norm-grad-selective.json", "a.top1.norm-grad-selective.overlay.png"]);
    const deep = await explain("deep", place.at("photos"), "--recursive", "--quiet");
    expect(place.list("deep")).toContain("e.top1.norm-grad-selective.json");
    expect(deep.err).toMatch(/^FAILED .*b\.png: /);
  });

  it("keeps inputs of one name apart", async () => {
    const twins = [place.write("twin.png", await pngOf(noise(9, 9))), place.at("photo.png"), place.at("photo.png")];
    await explain("twins", ...twins, "--write", "json");
    expect(place.list("twins")).toEqual([
      "photo-png-2.top1.norm-grad-selective.json",
      "photo-png.top1.norm-grad-selective.json",
      "twin.top1.norm-grad-selective.json",
    ]);
  });
});

describe("explain, when it cannot be done", () => {
  const wrong: readonly (readonly [string, readonly string[], RegExp])[] = [
    ["no input", ["--model", "tiny.onnx"], /explain needs INPUT/],
    ["no model", ["photo.png"], /--model says which model/],
    [
      "a model that does not exist",
      ["photo.png", "--model", "gone.onnx"],
      /cannot read model ".*gone\.onnx": there is no such file/,
    ],
    ["a name that is not in the catalogue", ["photo.png", "--model", "gone"], /no model "gone".*models add/],
    ["an option that does not exist", ["photo.png", "--modle", "x"], /no option "--modle": did you mean --model/],
    ["an option without its value", ["photo.png", "--model"], /--model needs a value/],
    [
      "a method that does not exist",
      ["photo.png", "--model", "tiny.onnx", "--method", "nromgrad"],
      /unknown method "nromgrad"/,
    ],
    [
      "a layer that does not exist",
      ["photo.png", "--model", "tiny.onnx", "--layers", "rellu1"],
      /no tensor "rellu1".*"relu1"/,
    ],
    [
      "a layer behind the objective",
      ["photo.png", "--model", "tiny.onnx", "--layers", "probabilities"],
      /"probabilities"/,
    ],
    ["a class that does not exist", ["photo.png", "--model", "tiny.onnx", "--target", "7"], /the model has 5 classes/],
    ["a class name that does not exist", ["photo.png", "--model", "tiny.onnx", "--target", "bea"], /"bea".*"bee"/],
    [
      "a class name of several classes",
      ["photo.png", "--model", "tiny.onnx", "--target", "do"],
      /"dog" \(3\), "dog house" \(4\)/,
    ],
    [
      "a kind of file that does not exist",
      ["photo.png", "--model", "tiny.onnx", "--write", "overly"],
      /did you mean overlay/,
    ],
    [
      "a colour map that does not exist",
      ["photo.png", "--model", "tiny.onnx", "--colormap", "rainbow"],
      /it takes viridis/,
    ],
    ["an opacity beyond one", ["photo.png", "--model", "tiny.onnx", "--alpha", "2"], /number from 0 to 1, not "2"/],
    [
      "weights that are no numbers",
      ["photo.png", "--model", "tiny.onnx", "--weights", "a,b"],
      /uniform, linear or numbers/,
    ],
    ["another scheme", ["ftp://host/key.png", "--model", "tiny.onnx"], /files, directories, http, https and s3 URLs/],
    ["an empty directory", ["empty", "--model", "tiny.onnx"], /no pictures in directory/],
    ["two sheets at once", ["photo.png", "--model", "tiny.onnx", "--grid", "--compare", "gradient"], /one of them/],
    [
      "a picture for a model",
      ["photo.png", "--model", "photo-as.onnx"],
      /not an ONNX model: it looks like a PNG image/,
    ],
    [
      "a size the model cannot take",
      ["photo.png", "--model", "dense.onnx", "--input-size", "16x16"],
      /cannot take "image"/,
    ],
    ["a broken card", ["photo.png", "--model", "tiny.onnx", "--card", "broken.card.json"], /it is not JSON/],
    [
      "a card of another model",
      ["photo.png", "--model", "tiny.onnx", "--card", "other.card.json"],
      /written for another model/,
    ],
    ["a weights file that is missing", ["photo.png", "--model", "outside.onnx"], /"weights\.bin", which is not there/],
    [
      "an engine that does not exist",
      ["photo.png", "--model", "tiny.onnx", "--runtime", "webgl"],
      /it takes wasm, native, auto/,
    ],
  ];

  beforeAll(async () => {
    const { mkdirSync } = await import("node:fs");
    mkdirSync(place.at("empty"), { recursive: true });
    place.write("photo-as.onnx", readFileSync(place.at("photo.png")));
    place.write("broken.card.json", "{");
    const sha256 = "0".repeat(64);
    place.write("other.card.json", JSON.stringify({ name: "x", sha256, preprocessing: { family: "imagenet" } }));
    place.write(
      "dense.onnx",
      modelBytes({
        nodes: [node("Flatten", ["image"], ["flat"]), node("MatMul", ["flat", "w"], ["logits"])],
        inputs: [tensorInfo("image", [1, 3, 8, 8])],
        outputs: [tensorInfo("logits", [1, 2])],
        initializers: [weights("w", [192, 2], new Float32Array(384))],
      }),
    );
    place.write(
      "outside.onnx",
      modelBytes({
        nodes: [node("Add", ["image", "w"], ["y"])],
        inputs: [tensorInfo("image", [1, 3, 8, 8])],
        outputs: [tensorInfo("y", [1, 3, 8, 8])],
        initializers: [
          {
            name: "w",
            dims: [1n],
            data_type: 1n,
            data_location: 1n,
            external_data: [{ key: "location", value: "weights.bin" }],
          },
        ],
      }),
    );
  });

  it.each(wrong)("refuses %s in one clear line, with exit code 2 and no file", async (_, argv, message) => {
    const local = argv.map((word) => (/\.(png|onnx|json)$/.test(word) && !word.includes(":") ? place.at(word) : word));
    const moved = local.map((word) => (word === "empty" ? place.at("empty") : word));
    const { code, out, err } = await place.run("explain", ...moved, "--out", place.at("refused"));
    const lines = err.split("\n").filter((line) => line.startsWith("error: "));
    expect(lines).toEqual([expect.stringMatching(message)]);
    expect([code, out]).toEqual([2, ""]);
    expect(place.list("refused")).toEqual([]);
  });

  /** (image * weight) * weight, less itself: NaN where the product overflows. */
  const overflowing = (weight: number): Uint8Array =>
    modelBytes({
      nodes: [
        node("Mul", ["image", "w"], ["a"]),
        node("Mul", ["a", "w"], ["b"]),
        node("Sub", ["b", "b"], ["zero"]),
        node("GlobalAveragePool", ["zero"], ["gap"]),
        node("Flatten", ["gap"], ["logits"]),
      ],
      inputs: [tensorInfo("image", [1, 3, 8, 8])],
      outputs: [tensorInfo("logits", [1, 3])],
      initializers: [weights("w", [1], [weight])],
    });

  it("refuses a model with NaN among its weights, by the tensor's name", async () => {
    place.write("nan.onnx", overflowing(Number.NaN));
    const argv = ["explain", place.at("photo.png"), "--model", place.at("nan.onnx"), "--out", place.at("nan")];
    const { code, err } = await place.run(...argv, "--layers", "input");
    expect(code).toBe(2);
    expect(err).toMatch(/the weights "w" hold NaN at element 0.*export the model anew/);
    expect(place.list("nan")).toEqual([]);
  });

  it("lists a model whose scores are NaN as a failure of the image", async () => {
    place.write("overflow.onnx", overflowing(3e38));
    const argv = ["explain", place.at("photo.png"), "--model", place.at("overflow.onnx"), "--out", place.at("nan")];
    const { code, err } = await place.run(...argv, "--layers", "input");
    expect(code).toBe(1);
    expect(err).toMatch(/FAILED .*score of class 0 is NaN: its weights or the input hold NaN/);
    expect(place.list("nan")).toEqual([]);
  });

  it("leaves no half-written file where a folder cannot be written", async () => {
    place.write("occupied", "a file, not a folder");
    const { code, err } = await explain("occupied", place.at("photo.png"));
    expect(code).toBe(1);
    expect(err).toMatch(/cannot write ".*occupied.*"/);
    expect(place.list().filter((name) => name.endsWith(".tmp"))).toEqual([]);
  });
});
