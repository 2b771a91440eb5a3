/** @file One image explained: bytes in, map, picture and result document out. Reads and writes no store. */
import { recipeFor } from "../explanation/card-info.ts";
import { type Circumstances, type Explanation, explanationOf } from "../explanation/document.ts";
import { type Decoding, prepareInput } from "../explanation/input.ts";
import { hasPlace, layerMaps, mainMap, statistics } from "../explanation/maps.ts";
import { metaReport } from "../explanation/meta.ts";
import { drawExplanation, flatNote, type View } from "../explanation/picture.ts";
import { readPrediction } from "../explanation/prediction.ts";
import { type Region, regionTensor, sharesOf } from "../explanation/region.ts";
import { resolvedSum, type SumTarget, sumFeeds } from "../explanation/sums.ts";
import { encodeImage } from "../imaging/encode.ts";
import { writeNpy } from "../imaging/npy.ts";
import type { ImageFormat } from "../imaging/sniff.ts";
import type { Feeds } from "../runtime/runtime.ts";
import type { Engine } from "./engine.ts";
import type { ServedExplainer } from "./explainers.ts";
import type { ServedModel } from "./models.ts";

/** An image to explain, and what to say of it. */
export interface ImageBytes {
  readonly bytes: Uint8Array;
  readonly sha256: string;
  /** What it is called in the result: a key, or a URL without its query. */
  readonly source: string;
}

export interface Explaining {
  readonly engine: Engine;
  readonly decoding: Decoding;
  /** The longest side of pictures in pixels: encoding one takes some 60 bytes a pixel. */
  readonly pictureSide: number;
  readonly version: string;
  /** What the runtime runs in. */
  readonly platform: string;
}

/** What is asked of an explainer. */
export interface Asked {
  readonly image: ImageBytes;
  readonly target: SumTarget;
  /** For a dense output explained in a part of the photo; by default all of it. */
  readonly region: Region | undefined;
  /** Names of the files beside the document, for the document. */
  readonly files: Explanation["files"];
}

/** What one explanation gives; pictures are encoded when asked for. */
export interface Explained {
  readonly document: Explanation;
  /** The raw map as a .npy file, float32. */
  readonly map: Uint8Array;
  /** Null where the map has no place on the image: tokens whose grid is not known. */
  readonly picture: ((view: View, format: ImageFormat) => Promise<Uint8Array>) | null;
}

/** @throws AppError of the image, the target, or the runtime */
export async function explainImage(
  { engine, decoding, pictureSide, version, platform }: Explaining,
  model: ServedModel,
  explainer: ServedExplainer,
  { image, target, region, files }: Asked,
  signal?: AbortSignal,
): Promise<Explained> {
  const { manifest } = explainer;
  const { recipe, notes } = recipeFor(manifest.input, { card: model.card, file: null, labels: null }, undefined);
  const prepared = await prepareInput(image.bytes, false, manifest.input, recipe, decoding);
  const { photo, geometry } = prepared;
  const everything = { x: 0, y: 0, width: photo.width, height: photo.height };
  const shares = manifest.spec.objective === "region" ? sharesOf(region ?? everything, geometry) : undefined;
  const feeds: Feeds = {
    [manifest.input.name]: prepared.tensor,
    ...sumFeeds(target, manifest.spec.terms),
    ...(shares && { region: regionTensor(shares) }),
  };
  const { outputs, loadMs, runMs } = await engine.run(explainer, model, feeds, signal);
  const prediction = readPrediction(outputs, manifest, model.labels, shares);
  const meta = metaReport(outputs, manifest);
  const map = mainMap(outputs, manifest);
  const { signed } = manifest.saliency;
  const measured = statistics(map, signed);
  const found = resolvedSum(target, prediction, model.labels);
  const circumstances: Circumstances = {
    backlight: version,
    runtime: engine.runtime.name,
    platform,
    model: { name: model.name, sha256: model.sha256, bytes: model.bytes },
    card: model.card.name,
    recipe,
    notes,
  };
  const start = performance.now();
  const drawn = { photo, geometry, map, manifest, model: model.name, target: found };
  const overlay = hasPlace(map, manifest.layers[0])
    ? drawExplanation("overlay", drawn, { maxSide: pictureSide })
    : null;
  const drawMs = performance.now() - start;
  const document = explanationOf(
    {
      input: {
        source: image.source,
        sha256: image.sha256,
        width: photo.width,
        height: photo.height,
        header: prepared.source,
      },
      explainer: { sha256: explainer.digest, manifest },
      prediction,
      target: found,
      map: { kind: manifest.saliency.kind, ...measured },
      ...(meta && { meta }),
      layerMaps: layerMaps(outputs, manifest).map((l) => ({ layer: l.layer ?? "", ...statistics(l, signed) })),
      geometry,
      picture: overlay && { colours: overlay.colours, low: overlay.scale.low, high: overlay.scale.high },
      notes: [
        ...prepared.notes,
        ...(measured.flat ? [flatNote(measured.max)] : []),
        ...(overlay === null ? ["the map's tokens have no known places on the image: there is no picture"] : []),
      ],
      timings: {
        compile: explainer.compileMs,
        decode: prepared.decodeMs,
        preprocess: prepared.preprocessMs,
        load: loadMs,
        run: runMs,
        draw: drawMs,
      },
      memory: engine.runtime.memory(),
      files,
    },
    circumstances,
  );
  return {
    document,
    map: writeNpy(map.dims, map.data),
    picture:
      overlay &&
      ((view, format) => {
        const { picture } = view === "overlay" ? overlay : drawExplanation(view, drawn, { maxSide: pictureSide });
        return encodeImage(picture, format, decoding.codecs);
      }),
  };
}
