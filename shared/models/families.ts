/** @file The preprocessings most classifiers were trained with, by name. Cards refer to them and override parts. */
import type { Fit, Normalise, Recipe } from "./recipe.ts";

/** A preprocessing that still has to be told the model's size, layout and type. */
export interface Family {
  readonly about: string;
  readonly channels: Recipe["channels"];
  readonly normalise: Normalise;
  fit(width: number, height: number): Fit;
}

const squash = (): Fit => ({ kind: "squash" });

/** ImageNet's evaluation protocol, 256 to 224, in proportion for other sizes. */
const centreCrop = (width: number, height: number): Fit => ({
  kind: "resize-crop",
  resize: Math.round((Math.max(width, height) * 256) / 224),
});

const same = (divide: number, mean: number, std: number): Normalise => ({
  divide,
  mean: [mean, mean, mean],
  std: [std, std, std],
});

/** Mean and deviation of ImageNet's training photos, as torchvision has them. */
const imagenetStatistics: Normalise = { divide: 255, mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };

export const families = {
  imagenet: {
    about: "torchvision's ImageNet models: shorter side to 256/224 of the input, centre crop, (x/255 - mean) / std",
    channels: "rgb",
    normalise: imagenetStatistics,
    fit: centreCrop,
  },
  "imagenet-squash": {
    about: "as imagenet, but the whole photo squashed into the input",
    channels: "rgb",
    normalise: imagenetStatistics,
    fit: squash,
  },
  inception: {
    about: "Inception, MobileNet and other TensorFlow models: centre crop, x/127.5 - 1",
    channels: "rgb",
    normalise: same(127.5, 1, 1),
    fit: centreCrop,
  },
  caffe: {
    about: "Caffe's ImageNet models: centre crop, blue first, x - [104, 117, 123]",
    channels: "bgr",
    normalise: { divide: 1, mean: [104, 117, 123], std: [1, 1, 1] },
    fit: centreCrop,
  },
  cifar: {
    about: "CIFAR-10 models: squashed, (x/255 - mean) / std with CIFAR-10's own mean and std",
    channels: "rgb",
    normalise: { divide: 255, mean: [0.4914, 0.4822, 0.4465], std: [0.247, 0.2435, 0.2616] },
    fit: squash,
  },
  unit: {
    about: "squashed, x/255",
    channels: "rgb",
    normalise: same(255, 0, 1),
    fit: squash,
  },
  raw: {
    about: "squashed, 0 to 255 as they are",
    channels: "rgb",
    normalise: same(1, 0, 1),
    fit: squash,
  },
  yolox: {
    about: "YOLOX detectors: whole photo top left on grey 114, blue first, 0 to 255 as they are",
    channels: "bgr",
    normalise: same(1, 0, 1),
    fit: () => ({ kind: "letterbox", fill: 114, align: "top-left" }),
  },
} as const satisfies Readonly<Record<string, Family>>;

export type FamilyName = keyof typeof families;

/** Whether a name is one of the catalogue's. */
export const isFamilyName = (name: string): name is FamilyName => Object.hasOwn(families, name);
