/**
 * @file `npm run demo:dataset`: unseen scenes as a folder of pictures with COCO boxes, for `backlight evaluate` and all
 *   else that takes a dataset. Needs nothing but `npm ci`.
 */
import path from "node:path";
import { checkCancelled } from "../../shared/runtime/runtime.ts";
import { type Args, choiceOf, integerOf, type Options } from "../cli/args.ts";
import { png } from "../cli/explain-one.ts";
import { writeAtomic } from "../cli/files.ts";
import type { Terminal } from "../cli/terminal.ts";
import { loadAtlas } from "./atlas.ts";
import { classes } from "./classes.ts";
import { makeScene, type SceneObject } from "./scene.ts";
import { sceneSize } from "./showcase.ts";
import { studySeeds } from "./study-pointing.ts";
import { modelFile, modelFolder } from "./train/model-files.ts";
import { runScript } from "./train/script.ts";

/** 227 pairs of a scene and a class in it: methods that differ are told apart, in a minute. */
const scenesDefault = 100;
const styleSets = ["seen", "held-out"] as const;

const options: Options = {
  out: { short: "o", value: "DIR", help: "where the pictures and instances.json are written (default out/scenes)" },
  scenes: { value: "N", help: `how many, up to the ${studySeeds.count} of demo:study (default ${scenesDefault})` },
  styles: { value: "NAME", help: `${styleSets.join(" or ")}: drawn as in training, or as never there (default seen)` },
};

/** A picture of the dataset, by its name in the folder `images`. */
interface Listed {
  readonly file: string;
  readonly objects: readonly Pick<SceneObject, "classIndex" | "box">[];
}

async function run(args: Args, terminal: Terminal): Promise<number> {
  const out = args.text("out") ?? path.join("out", "scenes");
  const count = integerOf(args, "scenes", 1, studySeeds.count) ?? scenesDefault;
  const styles = choiceOf(args, "styles", styleSets) ?? "seen";
  const sprites = await loadAtlas();
  const listed: Listed[] = [];
  for (let i = 0; i < count; i += 1) {
    checkCancelled(terminal.signal, "drawing the scenes");
    terminal.progress(`scene ${i + 1} of ${count}`);
    const seed = studySeeds.first + i;
    const { image, objects } = makeScene(seed, { size: sceneSize, styles, sprites });
    const file = `${seed}.png`;
    await writeAtomic(path.join(out, "images", file), await png(image));
    // Without the masks, which would fill the memory.
    listed.push({ file, objects: objects.map(({ classIndex, box }) => ({ classIndex, box })) });
  }
  // Last, so that a dataset which can be read is a whole one.
  await writeAtomic(path.join(out, "instances.json"), `${JSON.stringify(cocoOf(listed))}\n`);
  terminal.progress("");
  terminal.print(`${count} scenes with ${listed.flatMap(({ objects }) => objects).length} objects: ${out}`);
  const model = path.relative(".", modelFile(modelFolder));
  terminal.print(`try: npm run backlight -- evaluate pointing ${out} --model ${model}`);
  return 0;
}

/** COCO's form; numbers of images, categories and annotations begin at 1 there. */
const cocoOf = (listed: readonly Listed[]) => ({
  info: { description: "Scenes drawn by Backlight; drawings and their licences: infra/demo/ASSETS.md" },
  images: listed.map(({ file }, i) => ({ id: i + 1, file_name: file, width: sceneSize, height: sceneSize })),
  categories: classes.map(({ name }, i) => ({ id: i + 1, name })),
  annotations: listed
    .flatMap(({ objects }, i) => objects.map((object) => ({ ...object, image: i + 1 })))
    .map(({ image, classIndex, box: { x, y, width, height } }, i) => ({
      id: i + 1,
      image_id: image,
      category_id: classIndex + 1,
      bbox: [x, y, width, height],
      area: width * height,
      iscrowd: 0,
    })),
});

await runScript("demo:dataset", "writes unseen scenes with boxes, as a dataset to evaluate maps on", options, run);
