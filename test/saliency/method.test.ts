/** @file Method names: what they mean, and that every method has one. */
import { describe, expect, it } from "vitest";
import { aggregates } from "../../shared/saliency/aggregate.ts";
import { isSigned, methodName, methodNames, parseMethod } from "../../shared/saliency/method.ts";
import { averages, backwardRules, extracts } from "../../shared/saliency/spec.ts";

describe("parseMethod", () => {
  it.each([
    ["norm-grad", "conv1x1:norm"],
    ["norm-grad-selective", "scaling:filter-norm"],
    ["linear-approximation", "scaling:sum"],
    ["gradient", "bias:max-abs"],
    ["norm-grad-conv3x3", "conv3x3:norm"],
    ["norm-grad-real", "conv-real:norm"],
    ["guided-backprop", "guided:bias:max-abs"],
    ["deconvnet", "deconvnet:gradient"],
    ["hires-cam", "scaling:positive-sum"],
    ["excitation-backprop", "excitation:bias:sum"],
    ["contrastive-excitation-backprop", "contrastive-excitation:bias:positive-sum"],
    ["smooth-grad", "smooth:gradient"],
    ["integrated-gradients", "integrated:linear-approximation"],
    ["smooth:guided-backprop", "smooth:guided:bias:max-abs"],
  ])("reads %s as %s", (name, point) => {
    expect(parseMethod(name)).toEqual(parseMethod(point));
  });

  it("reads back every name and every point of the grid under every backward rule", () => {
    const points = extracts.flatMap((e) => aggregates.map((a) => `${e}:${a}`));
    for (const text of [...methodNames, ...points]) {
      for (const rule of backwardRules) {
        if (parseMethod(text).rules !== "true" && rule !== "true") continue;
        const method = parseMethod(rule === "true" ? text : `${rule}:${text}`);
        expect(parseMethod(methodName(method))).toEqual(method);
        if (method.average !== undefined) continue;
        for (const average of averages) {
          const averaged = parseMethod(`${average}:${methodName(method)}`);
          expect(averaged).toEqual({ average, ...method });
          expect(parseMethod(methodName(averaged))).toEqual(averaged);
        }
      }
    }
  });

  it.each([
    "",
    "normgrad",
    "scaling",
    "scaling:",
    "scaling:mean",
    "scaling:sum:norm",
    "guided:",
    "guided:guided:gradient",
    "smooth:integrated:gradient",
    "smooth:",
    "constructor",
  ])("refuses %j and says what there is", (text) => {
    expect(() => parseMethod(text)).toThrowError(/unknown method .*norm-grad-selective.*conv1x1.*filter-norm/);
  });

  it("calls maps signed that can be negative", () => {
    expect(
      ["linear-approximation", "scaling:max", "norm-grad", "grad-cam", "gradient", "excitation-backprop"].map((m) =>
        isSigned(parseMethod(m)),
      ),
    ).toEqual([true, true, false, false, false, false]);
  });
});
