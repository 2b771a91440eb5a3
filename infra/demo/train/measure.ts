/** @file What a classifier reaches on unseen scenes: its logits in the runtime, ranked against the truth. */
import { AppError } from "../../../shared/errors.ts";
import { type Runtime, type Session, tensorNamed } from "../../../shared/runtime/runtime.ts";
import type { Atlas } from "../atlas.ts";
import type { SceneOptions } from "../scene.ts";
import { batchOf, type SeedRange, sampleOf, seedGroups } from "./batches.ts";
import type { Architecture } from "./classifier.ts";
import { type Ranking, rankingOf } from "./score.ts";

/** Scenes a run; bounds the memory, nothing else. */
const groupSize = 50;

export interface Scenes {
  readonly seeds: SeedRange;
  readonly styles: SceneOptions["styles"];
  readonly sprites: Atlas;
}

/** Opens the model's bytes, measures, closes. */
export async function measureModel(
  runtime: Runtime,
  bytes: Uint8Array,
  net: Architecture,
  scenes: readonly Scenes[],
  signal?: AbortSignal,
): Promise<readonly Ranking[]> {
  const session = await runtime.create(bytes, { label: "the classifier" });
  try {
    const rankings: Ranking[] = [];
    for (const each of scenes) rankings.push(await measure(session, net, each, signal));
    return rankings;
  } finally {
    await session.release();
  }
}

async function measure(
  session: Session,
  net: Architecture,
  { seeds, styles, sprites }: Scenes,
  signal?: AbortSignal,
): Promise<Ranking> {
  const scores = new Float32Array(seeds.count * net.classes);
  const labels = new Float32Array(scores.length);
  for (const group of seedGroups(seeds, groupSize)) {
    if (signal?.aborted) throw new AppError("cancelled", "the measurement was cancelled");
    const options = { size: net.size, styles, sprites };
    const batch = batchOf(
      group.map((seed) => sampleOf(seed, options)),
      net.classes,
    );
    const dims = [group.length, 3, net.size, net.size];
    const outputs = await session.run({ image: { dtype: "float32", dims, data: batch.images } }, signal);
    const at = ((group[0] ?? 0) - seeds.first) * net.classes;
    // A sigmoid keeps the order, so probabilities rank as logits do.
    scores.set(tensorNamed(outputs, "probabilities", "float32").data, at);
    labels.set(batch.labels, at);
  }
  return rankingOf(scores, labels, net.classes);
}
