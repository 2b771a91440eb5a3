/**
 * @file Options that say which images are measured and what they show: those of `evaluate` that every study takes. All
 * that name a file or a folder take `s3://bucket/key` too.
 */
import type { Options } from "../args.ts";
import { formats } from "./find-annotations.ts";

export const datasetOptions: Options = {
  annotations: { value: "PATH", help: `a folder or document of ${formats.join(", ")} (default: what DATASET holds)` },
  images: { value: "DIR", help: "where the images are (default: images or JPEGImages in DATASET, or DATASET)" },
  names: { value: "FILE", help: "class names by number, for YOLO labels and masks (default: classes.txt beside them)" },
  classes: {
    value: "FILE",
    help: "JSON: the dataset's class to the model's, an index or name or a list of them (default: the same names)",
  },
  "class-offset": { value: "N", help: "added to the classes of pairs (default 1 where the card has background 0)" },
  "rank-below": { value: "N", help: "of pairs, only rows whose best_rank is below N" },
  top: { value: "N", help: "only classes that the model ranks among its first N on the image" },
  limit: { value: "N", help: "the first N images alone" },
};
