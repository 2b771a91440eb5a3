/** @file Sums and differences of classes: "cat - dog" into the explainer's run-time inputs, and what it means. */
import { type Labels, labelOf } from "../models/labels.ts";
import type { Feeds } from "../runtime/runtime.ts";
import { slug } from "../slug.ts";
import type { Explanation } from "./document.ts";
import type { Prediction } from "./prediction.ts";
import { readTargets, resolved, type Target } from "./targets.ts";

/** One class of a sum; added or taken off. */
export interface Term {
  readonly target: Target;
  readonly coefficient: 1 | -1;
}

export interface SumTarget {
  /** As the user said it: `tiger cat - top1`. */
  readonly text: string;
  /** The same as part of a file name. */
  readonly slug: string;
  readonly terms: readonly Term[];
}

/** Signs stand between blanks, because names hold hyphens. */
const signs = /\s+([+-])\s+/;

/** The words between signs, and the sign before each; a class of that very name is no sum. */
function split(text: string, labels: Labels | null): readonly { readonly text: string; readonly sign: 1 | -1 }[] {
  if (labels?.includes(text.trim())) return [{ text, sign: 1 }];
  const parts = text.trim().split(signs); // word, sign, word, sign, word
  return parts.flatMap((part, i) =>
    i % 2 === 0 ? [{ text: part, sign: parts[i - 1] === "-" ? -1 : 1 } as const] : [],
  );
}

/** The most classes one of the targets is made of: the `terms` of the explainer that serves them all. */
export const termsOf = (texts: readonly string[], labels: Labels | null): number =>
  texts.reduce((most, text) => Math.max(most, split(text, labels).length), 1);

/** Every target asked for; top1 where none was. Throws `spec-invalid` for a class the model does not have. */
export function readSums(
  texts: readonly string[],
  labels: Labels | null,
  classes: number | null,
): readonly SumTarget[] {
  const wanted = texts.length === 0 ? ["top1"] : texts;
  return wanted.map((text) => {
    const terms = split(text, labels).map(({ text: name, sign }): Term => {
      const [target] = readTargets([name], labels, classes);
      if (target === undefined) throw new TypeError("one text gives one target");
      return { target, coefficient: sign };
    });
    return { text, slug: slug(text), terms };
  });
}

/** What an explainer of so many terms is fed for it: one class as ever where `terms` is undefined. */
export function sumFeeds({ terms: own }: SumTarget, terms: number | undefined): Feeds {
  // Places left over count nothing.
  const all = Array.from({ length: terms ?? 1 }, (_, i) => own[i]);
  const data = BigInt64Array.from(all, (term) => BigInt(term?.target.value ?? 0));
  if (terms === undefined) return { target: { dtype: "int64", dims: [1], data } };
  const coefficient = Float32Array.from(all, (term) => term?.coefficient ?? 0);
  return {
    target: { dtype: "int64", dims: [1, terms], data },
    coefficient: { dtype: "float32", dims: [1, terms], data: coefficient },
  };
}

/** What the target means for this prediction. A sum's score and probability are sums too; it has no rank. */
export function resolvedSum(sum: SumTarget, prediction: Prediction, labels: Labels | null): Explanation["target"] {
  const found = sum.terms.map(({ target, coefficient }) => ({ ...resolved(target, prediction, labels), coefficient }));
  const [first] = found;
  if (first === undefined) throw new TypeError("a target has a class");
  if (found.length === 1) {
    const { coefficient: _, ...only } = first;
    return { asked: sum.text, ...only };
  }
  const total = (of: (term: (typeof found)[number]) => number): number =>
    found.reduce((s, term) => s + term.coefficient * of(term), 0);
  return {
    asked: sum.text,
    class: first.class,
    name: found
      .map((t, i) => `${i === 0 ? "" : t.coefficient < 0 ? " - " : " + "}${labelOf(labels, t.class)}`)
      .join(""),
    score: total((t) => t.score),
    probability: total((t) => t.probability),
    rank: 0,
    terms: found.map((t) => ({ class: t.class, name: t.name, coefficient: t.coefficient })),
  };
}
