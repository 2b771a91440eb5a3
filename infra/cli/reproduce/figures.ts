/** @file The sweep over sizes of the step as drawings. */
import type { Figure, Row } from "../evaluate/report.ts";

/** `key` of every method over the steps. */
export function sweepFigure(sweep: readonly Row[], key: "accuracy" | "rho", model: string): Figure {
  const distinct = (column: string): readonly string[] => [...new Set(sweep.map((row) => String(row[column])))];
  const steps = distinct("step");
  const number = (value: Row[string] | undefined): number | null => (typeof value === "number" ? value : null);
  return {
    title: key === "rho" ? "Class sensitivity by size of the step" : "Pointing game by size of the step",
    subtitle: `${model}, ${distinct("layer").join(", ")}, meta-saliency; 95 % intervals`,
    axis: key === "rho" ? "Spearman's rho" : "accuracy",
    range: key === "rho" ? [-1, 1] : [0, 1],
    layers: steps,
    lines: distinct("method").map((method) => ({
      name: method,
      points: steps.map((step) => {
        const row = sweep.find((r) => r["method"] === method && r["step"] === step);
        const [low, high] = [number(row?.[`${key} low`]), number(row?.[`${key} high`])];
        return {
          value: number(row?.[key]),
          interval: low === null || high === null ? null : { low, high },
        };
      }),
    })),
  };
}
