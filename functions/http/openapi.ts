/** @file The API in OpenAPI 3.1, as data. That it names every route of app.ts, and no other, is tested. */
import { questionFields } from "../../shared/pipeline/question.ts";
import { version } from "../version.ts";
import { problems } from "./problems.ts";

const text = { type: "string" } as const;

const described: Readonly<Record<string, string>> = {
  model: "a model of /v1/models; by default the configured one",
  method: "norm-grad-selective, norm-grad, grad-cam, ... or extract:aggregate",
  layers: "tensor names with commas, or auto, last, input",
  combine: "how maps of several layers become one: sum or product",
  weights: "uniform, linear, or a number a layer with commas",
  objective: "what is differentiated: logit, nll, log-softmax, probability, pointing, region",
  region: "x,y,width,height in pixels of the photo: where a dense output is explained",
  samples: "of methods that average: how many noisy images, or steps of the path",
  noise: "of smooth-grad: standard deviation as a share of the image's range",
  "noise-seed": "of smooth-grad: which noise is drawn",
  meta: "explain the model after one training step of this size, or auto",
  "meta-sign": "descent or ascent",
  "meta-variant": "stop-gradient or full",
  "meta-weights": "the weights that move: all, or last:K layers",
  output: "the tensor the objective is taken at",
  target: "a class by index or name, a rank such as top1, or sums and differences: cat - dog",
  url: "an image to fetch, from an allowed source",
  key: "an image of the bucket, below images/",
  view: "overlay, heatmap or map",
  format: "png, webp, jpeg, json or npy; overrides Accept",
};

const parameter = (name: string) => ({ name, in: "query", description: described[name] ?? name, schema: text });
const inPath = (name: string, description: string) => ({ name, in: "path", required: true, description, schema: text });

const question = [...questionFields, "view", "format"].map(parameter);
const format = [parameter("format")];

const problemContent = { "application/problem+json": { schema: { $ref: "#/components/schemas/Problem" } } };
const refused = { description: "A problem document (RFC 9457) that says why", content: problemContent };

const pictures = Object.fromEntries(
  ["image/png", "image/webp", "image/jpeg", "application/json", "application/x-npy"].map((type) => [type, {}]),
);
const result = {
  "200": { description: "The file of the result that was asked for", content: pictures },
  "304": { description: "Unchanged: If-None-Match names its ETag" },
  default: refused,
};
const data = (description: string) => ({
  "200": { description, content: { "application/json": {} } },
  default: refused,
});

const id = inPath("id", "<image>/<result>: an image's key or sha256/<digest>, and 64 digits; slashes as they are");

const sweepId = inPath("id", "a sweep");
const texts = { type: "array", items: text } as const;
const whole = { type: "integer", minimum: 1 } as const;
const sweepSchema = {
  type: "object",
  required: ["source"],
  properties: {
    id: { ...text, description: "starting the same one twice is starting it once; by default a new one" },
    source: { ...text, description: "a prefix below images/, or the key of a .jsonl or .csv manifest" },
    model: text,
    methods: texts,
    layers: texts,
    targets: { ...texts, description: 'classes or ranks; "label" is the manifest\'s class' },
    batch: { ...whole, description: "images a shard" },
    maxConcurrency: { ...whole, description: "the most shards handed out at once and not settled" },
    toleratedFailures: {
      type: "object",
      properties: { count: { type: "integer" }, percent: { type: "number" }, minimumSample: whole },
    },
    limit: { ...whole, description: "the first so many images" },
    sample: { type: "number", description: "this share of the images, the same ones every time" },
    dryRun: { type: "boolean" },
  },
} as const;

export const openApi = {
  openapi: "3.1.0",
  info: {
    title: "Backlight",
    version,
    summary: "Why an image classifier said what it said",
    license: { name: "MIT", identifier: "MIT" },
  },
  paths: {
    "/v1/explain": {
      get: {
        summary: "Explains an image of the bucket or of an allowed URL",
        parameters: [parameter("key"), parameter("url"), ...question],
        responses: result,
      },
      post: {
        summary: "Explains the image in the body; or, as JSON with the same words, one by key or url",
        parameters: question,
        requestBody: {
          required: true,
          content: { "image/jpeg": {}, "image/png": {}, "image/webp": {}, "application/json": {} },
        },
        responses: result,
      },
    },
    "/v1/explanations/{id}": { get: { summary: "A result's document", parameters: [id], responses: result } },
    "/v1/explanations/{id}/overlay": {
      get: { summary: "The map over the photo", parameters: [id, ...format], responses: result },
    },
    "/v1/explanations/{id}/heatmap": {
      get: { summary: "The map alone", parameters: [id, ...format], responses: result },
    },
    "/v1/explanations/{id}/map": {
      get: { summary: "The raw map, a float32 .npy", parameters: [id], responses: result },
    },
    "/v1/models": { get: { summary: "The models there are", responses: data("Names") } },
    "/v1/models/{name}": {
      get: { summary: "A model's card", parameters: [inPath("name", "a model")], responses: data("The card") },
    },
    "/v1/models/{name}/layers": {
      get: {
        summary: "The tensors a map can be made at",
        parameters: [inPath("name", "a model")],
        responses: data("Layers"),
      },
    },
    "/v1/sweeps": {
      post: {
        summary: "Starts a sweep over a prefix or a manifest; with dryRun only says what it would take",
        requestBody: { required: true, content: { "application/json": { schema: sweepSchema } } },
        responses: data("Its state, or the estimate"),
      },
    },
    "/v1/sweeps/{id}": { get: { summary: "A sweep's state", parameters: [sweepId], responses: data("Counts") } },
    "/v1/sweeps/{id}/report": {
      get: {
        summary: "A sweep's report, so far where it is under way",
        parameters: [sweepId, { ...parameter("format"), description: "html, json or jsonl" }],
        responses: data("The report"),
      },
    },
    "/v1/sweeps/{id}/cancel": {
      post: { summary: "Begins nothing more of a sweep", parameters: [sweepId], responses: data("Its state") },
    },
    "/v1/sweeps/{id}/redrive": {
      post: { summary: "Tries again what did not succeed", parameters: [sweepId], responses: data("Its state") },
    },
    "/healthz": { get: { summary: "Whether the process lives", responses: data("It does") } },
    "/readyz": {
      get: { summary: "Whether storage and the configured model can be reached", responses: data("They can") },
    },
    "/metrics": {
      get: {
        summary: "Counters in Prometheus' format; always needs a key",
        responses: { "200": { description: "Text", content: { "text/plain": {} } }, default: refused },
      },
    },
  },
  components: {
    securitySchemes: { key: { type: "http", scheme: "bearer", description: "An API key" } },
    schemas: {
      Problem: {
        type: "object",
        required: ["type", "title", "status"],
        properties: {
          type: {
            type: "string",
            enum: ["about:blank", ...Object.keys(problems).map((c) => `urn:backlight:problem:${c}`)],
          },
          title: text,
          status: { type: "integer" },
          detail: { type: "string", description: "what was attempted, on which thing, why not, and what would work" },
          requestId: text,
        },
      },
    },
  },
  security: [{}, { key: [] }],
};
