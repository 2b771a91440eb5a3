/** @file The README says what the code does: operators, commands, options, methods, families. */
import { readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { commands } from "../../infra/cli/main.ts";
import { differentiable } from "../../shared/autodiff/rules.ts";
import { families } from "../../shared/models/families.ts";
import { aggregates } from "../../shared/saliency/aggregate.ts";
import { methodName, methodNames, parseMethod } from "../../shared/saliency/method.ts";
import { extracts } from "../../shared/saliency/spec.ts";

const root = path.resolve(import.meta.dirname, "../..");
const readme = readFileSync(path.join(root, "README.md"), "utf8");

describe("the README", () => {
  it("lists exactly the operators a gradient passes", () => {
    const listed = /<!-- operators -->\n([^<]*)<!-- \/operators -->/.exec(readme)?.[1] ?? "";
    expect(listed.split(/[,\s]+/).filter((word) => word !== "")).toEqual(differentiable);
  });

  it("names every command and every option of its own", () => {
    const missing = Object.entries(commands).flatMap(([name, { options }]) => [
      ...(readme.includes(`\`backlight ${name}`) ? [] : [name]),
      ...Object.keys(options)
        .filter((option) => !["model", "out"].includes(option) && !readme.includes(`--${option}`))
        .map((option) => `${name} --${option}`),
    ]);
    expect(missing).toEqual([]);
  });

  it("names every method, and says of each which point of the grid it is", () => {
    for (const name of methodNames) expect(readme).toContain(`\`${name}\``);
    for (const [, name = "", point = ""] of readme.matchAll(/^\| `([\w+-]+)`[^|]*\| `([\w:0-9-]+)` \|/gm)) {
      expect(methodName(parseMethod(point)), name).toBe(name);
    }
  });

  it("names every extract, aggregate and family", () => {
    for (const name of [...extracts, ...aggregates, ...Object.keys(families)]) expect(readme).toContain(`\`${name}\``);
  });

  it("gives commands that package.json has", () => {
    const { scripts } = JSON.parse(readFileSync(path.join(root, "package.json"), "utf8"));
    const named = [...readme.matchAll(/npm run ([\w:-]+)/g)].map(([, script]) => script);
    expect(named.length).toBeGreaterThan(3);
    expect(named.filter((script) => script === undefined || !(script in scripts))).toEqual([]);
  });
});
