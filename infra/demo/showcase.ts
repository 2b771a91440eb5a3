/** @file What `npm run demo` shows: which scenes, which methods, in which words. Data only. */

export interface ShownScene {
  /** Of test seeds, never trained on. */
  readonly seed: number;
  readonly styles: "seen" | "held-out";
}

/** Chosen by a person among unseen scenes, for variety of classes and grounds. */
export const scenes: readonly ShownScene[] = [
  { seed: 2023, styles: "seen" },
  { seed: 2016, styles: "seen" },
  { seed: 2039, styles: "seen" },
  { seed: 2041, styles: "seen" },
  { seed: 2100, styles: "held-out" },
  { seed: 2142, styles: "held-out" },
];

/** Three times what the classifier sees: scenes are drawn at this size for people. */
export const sceneSize = 384;

/** The scene that methods and layers are compared on, by its place in the list. */
export const compared = 0;
/** Of so many of its classes, those the model is surest of. */
export const comparedClasses = 2;

/** A class counts as named by the model from this probability on; at most so many of them are explained. */
export const namedFrom = 0.5;
export const explainedMax = 3;

export interface ShownMethod {
  readonly name: string;
  readonly words: string;
}

/** The methods that are compared, the default first. */
export const methods: readonly ShownMethod[] = [
  {
    name: "norm-grad-selective",
    words: "size of what speaks for the class: gradient times activation, where positive",
  },
  { name: "norm-grad", words: "size of the gradient times size of the activation: where there is something to learn" },
  { name: "linear-approximation", words: "what each place adds to the score (red) or takes from it (blue)" },
  { name: "grad-cam", words: "activations, each channel weighted by its mean gradient" },
  { name: "gradient", words: "where a small change would move the score most" },
];
