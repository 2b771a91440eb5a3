/** @file A sweep on the terminal: its progress in one line, what failed, and how it ended. */
import type { Estimate } from "../../../shared/sweeps/estimate.ts";
import type { Report } from "../../../shared/sweeps/report-document.ts";
import type { SweepStatus } from "../../../shared/sweeps/status.ts";
import { durationText } from "../evaluate/progress.ts";
import { bytesText, type Terminal, table } from "../terminal.ts";

const barWidth = 24;

/** `[######······] 120 of 500, 3 failed, 2.1/s, 3 min left`. */
export function progressText({ state, note, planned, counts, rate, etaSeconds }: SweepStatus): string {
  if (planned === null || state === "planning") return "listing the images";
  const done = counts.succeeded + counts.skipped + counts.failed;
  const share = planned.tasks === 0 ? 1 : Math.min(1, done / planned.tasks);
  const bar = "#".repeat(Math.round(barWidth * share)).padEnd(barWidth, "·");
  const skipped = counts.skipped > 0 ? `, ${counts.skipped} skipped` : "";
  const failed = counts.failed > 0 ? `, ${counts.failed} failed` : "";
  const speed = rate === null ? "" : `, ${rate.toPrecision(3)}/s`;
  const left = etaSeconds === null ? "" : `, ${durationText(1000 * etaSeconds)} left`;
  const waiting = state === "waiting" ? `; waiting: ${note}` : "";
  return `[${bar}] ${done} of ${planned.tasks}${skipped}${failed}${speed}${left}${waiting}`;
}

/** Tells each failure once. */
export function failureTeller({ warn }: Terminal): (status: SweepStatus) => void {
  const told = new Set<string>();
  return ({ lastFailures }) => {
    for (const { key, why } of lastFailures) {
      if (told.has(`${key} ${why}`)) continue;
      told.add(`${key} ${why}`);
      warn(`FAILED ${key === "" ? "" : `${key}: `}${why}`);
    }
  };
}

const percent = (value: number | null | undefined): string => (value == null ? "" : `${(100 * value).toFixed(1)} %`);

export function reportText(report: Report, where: string): string {
  const { counts, state, note, questions } = report;
  const told = Object.entries(counts).map(([name, n]) => `${n} ${name}`);
  const rows = questions.map(({ question, milliseconds, accuracy, pointing, sensitivity, flat }) => [
    question.method ?? "norm-grad-selective",
    question.layers ?? "auto",
    question.target,
    milliseconds.p50 === null ? "" : `${milliseconds.p50} ms`,
    milliseconds.p95 === null ? "" : `${milliseconds.p95} ms`,
    percent(accuracy?.value),
    pointing === null ? "" : `${percent(pointing.all.value)} (${pointing.all.hits}/${pointing.all.trials})`,
    sensitivity?.mean?.toFixed(3) ?? "",
    String(flat),
  ]);
  const head = ["method", "layers", "target", "p50", "p95", "accuracy", "pointing game", "sensitivity", "flat"];
  const right = new Set([3, 4, 5, 6, 7, 8]);
  return [
    `${report.id}: ${state}${note === null ? "" : ` (${note})`}: ${told.join(", ")}`,
    table([head, ...rows], right),
    `report: ${where}`,
  ].join("\n");
}

export function estimateText(estimate: Estimate): string {
  const { images, tasks, bytes, shards, sampled, seconds, cpuSeconds, price, workers, problems, duplicates } = estimate;
  const counted = `${estimate.counted ? "" : "at least "}${images} images, ${tasks} explanations in ${shards} shards`;
  const lines = [`${counted}${bytes > 0 ? `, ${bytesText(bytes)} to read` : ""}`];
  if (problems + duplicates > 0) lines.push(`${problems} lines cannot be read, ${duplicates} are repeated`);
  if (sampled === null)
    return [...lines, "none of the images could be explained, so nothing is known of the time"].join("\n");
  const known = sampled.known > 0 ? `, ${percent(sampled.known)} are there already` : "";
  lines.push(`${sampled.millisecondsPerTask.toFixed(0)} ms an explanation, from ${sampled.images} images${known}`);
  if (seconds !== null && cpuSeconds !== null) {
    lines.push(
      `about ${durationText(1000 * seconds)} with ${workers} at work, ${durationText(1000 * cpuSeconds)} of computing`,
    );
  }
  if (price !== null)
    lines.push(`on Cloudflare about $${price.total} at the prices of ${price.date}, one month's storage included`);
  return lines.join("\n");
}
