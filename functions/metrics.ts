/** @file Counters of one process or isolate, in Prometheus' text format. Knows no routes. */

/** Upper ends of the latency histogram's buckets, in seconds: a cached answer to a cold start. */
const bounds = [0.005, 0.015, 0.05, 0.15, 0.5, 1.5, 5, 15];

interface Series {
  count: number;
  seconds: number;
  readonly buckets: number[];
}

export class Metrics {
  readonly #requests = new Map<string, Series>();
  readonly #gauges = new Map<string, () => number>();

  /** Counts one request or item. `outcome` is a status or what became of an item. */
  count(what: string, outcome: string | number, milliseconds: number): void {
    const key = `what="${what}",outcome="${outcome}"`;
    const series = this.#requests.get(key) ?? { count: 0, seconds: 0, buckets: bounds.map(() => 0) };
    this.#requests.set(key, series);
    series.count += 1;
    series.seconds += milliseconds / 1000;
    bounds.forEach((bound, i) => {
      if (milliseconds <= bound * 1000) series.buckets[i] = (series.buckets[i] ?? 0) + 1;
    });
  }

  /** Adds a value that is read when asked for. */
  gauge(name: string, read: () => number): void {
    this.#gauges.set(name, read);
  }

  text(): string {
    const lines = ["# TYPE backlight_requests_seconds histogram"];
    for (const [labels, { count, seconds, buckets }] of this.#requests) {
      bounds.forEach((bound, i) => {
        lines.push(`backlight_requests_seconds_bucket{${labels},le="${bound}"} ${buckets[i]}`);
      });
      lines.push(`backlight_requests_seconds_bucket{${labels},le="+Inf"} ${count}`);
      lines.push(`backlight_requests_seconds_sum{${labels}} ${seconds}`);
      lines.push(`backlight_requests_seconds_count{${labels}} ${count}`);
    }
    for (const [name, read] of this.#gauges) {
      lines.push(`# TYPE backlight_${name} gauge`, `backlight_${name} ${read()}`);
    }
    return `${lines.join("\n")}\n`;
  }
}
