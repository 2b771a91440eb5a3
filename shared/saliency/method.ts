/** @file Methods by name: every point of the extract x aggregate grid, the paper's named ones, and CAM relatives. */
import { AppError } from "../errors.ts";
import { type Aggregate, aggregates, aggregations } from "./aggregate.ts";
import { averages, type BackwardRules, backwardRules, type Extract, extracts, type Method } from "./spec.ts";

const grid = (extract: Extract, aggregate: Aggregate, rules: BackwardRules = "true"): Method => ({
  rules,
  head: { kind: "grid", extract, aggregate },
});

/** The paper's names (Table 2) and the usual ones, as points of the grid. */
const named: Readonly<Record<string, Method>> = {
  gradient: grid("bias", "max-abs"),
  "gradient-sum": grid("bias", "sum"),
  "linear-approximation": grid("scaling", "sum"),
  "norm-grad": grid("conv1x1", "norm"),
  "norm-grad-selective": grid("scaling", "filter-norm"),
  "norm-grad-conv3x3": grid("conv3x3", "norm"),
  "norm-grad-real": grid("conv-real", "norm"),
  "hires-cam": grid("scaling", "positive-sum"),
  "grad-cam": { rules: "true", head: { kind: "grad-cam" } },
  "grad-cam++": { rules: "true", head: { kind: "grad-cam++" } },
  "layer-cam": { rules: "true", head: { kind: "layer-cam" } },
  "guided-backprop": grid("bias", "max-abs", "guided"),
  deconvnet: grid("bias", "max-abs", "deconvnet"),
  "smooth-grad": { average: "smooth", ...grid("bias", "max-abs") },
  "integrated-gradients": { average: "integrated", ...grid("scaling", "sum") },
  "excitation-backprop": grid("bias", "sum", "excitation"),
  "contrastive-excitation-backprop": grid("bias", "positive-sum", "contrastive-excitation"),
};

export const methodNames: readonly string[] = Object.keys(named);

const isOneOf = <T extends string>(text: string | undefined, of: readonly T[]): text is T => of.some((t) => t === text);

/** What may stand before a method: how its gradients are averaged, then which backward rules they follow. */
const prefixes: readonly string[] = [...averages, ...backwardRules.filter((r) => r !== "true")].map((p) => `"${p}:"`);

/**
 * Reads a method: a name (`norm-grad`), a point of the grid (`conv1x1:norm`), either after an average (`smooth:`),
 * after backward rules (`guided:`), or after both.
 * @throws AppError `spec-invalid` that lists what there is
 */
export function parseMethod(text: string): Method {
  const method = parse(text.trim().toLowerCase());
  if (method) return method;
  throw new AppError(
    "spec-invalid",
    `unknown method "${text}"; methods are ${methodNames.join(", ")}, or extract:aggregate with extract one of ` +
      `${extracts.join(", ")} and aggregate one of ${aggregates.join(", ")}, each also after ${prefixes.join(" or ")}`,
    { method: text },
  );
}

function parse(text: string): Method | undefined {
  if (Object.hasOwn(named, text)) return named[text];
  const [first, ...rest] = text.split(":");
  if (isOneOf(first, backwardRules) && rest.length > 0) {
    const inner = parse(rest.join(":"));
    return inner?.rules === "true" ? { ...inner, rules: first } : undefined;
  }
  if (isOneOf(first, averages) && rest.length > 0) {
    const inner = parse(rest.join(":"));
    return inner && inner.average === undefined ? { average: first, ...inner } : undefined;
  }
  const [second, ...more] = rest;
  return isOneOf(first, extracts) && isOneOf(second, aggregates) && more.length === 0 ? grid(first, second) : undefined;
}

/** The shortest text that `parseMethod` reads back as this method. */
export function methodName(method: Method): string {
  const same = Object.entries(named).find(([, m]) => JSON.stringify(m) === JSON.stringify(method));
  if (same) return same[0];
  const { average, rules, head } = method;
  if (average !== undefined) return `${average}:${methodName({ rules, head })}`;
  const point = head.kind === "grid" ? `${head.extract}:${head.aggregate}` : head.kind;
  return rules === "true" ? point : `${rules}:${point}`;
}

/** Whether a map can be negative, so that zero means something and pictures need a diverging scale. */
export const isSigned = ({ head, rules }: Method): boolean =>
  head.kind === "grid" && aggregations[head.aggregate].signed && !(rules === "excitation" && head.extract === "bias");
