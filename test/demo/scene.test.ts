/** @file Scenes: their ground truth fits their pixels, and a seed gives the same bytes everywhere. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, it } from "vitest";
import { type Atlas, loadAtlas } from "../../infra/demo/atlas.ts";
import { classes } from "../../infra/demo/classes.ts";
import { MIN_VISIBLE_SHARE, planScene, solidPart } from "../../infra/demo/plan.ts";
import { randomFrom } from "../../infra/demo/random.ts";
import { makeScene, type Scene } from "../../infra/demo/scene.ts";
import { type Level, levelsOf, SOLID } from "../../infra/demo/sprite.ts";
import { classDesigns, distractorDesigns, iconSets } from "../../infra/demo/sprites/designs.ts";

let sprites: Atlas;
let seen: readonly Scene[];
let heldOut: readonly Scene[];
beforeAll(async () => {
  sprites = await loadAtlas();
  const scenes = (styles: "seen" | "held-out"): readonly Scene[] =>
    Array.from({ length: 200 }, (_, seed) => makeScene(seed, { size: 128, styles, sprites }));
  seen = scenes("seen");
  heldOut = scenes("held-out");
});

const digest = (scene: Scene): string => {
  const hash = createHash("sha256").update(scene.image.data);
  for (const { mask } of scene.objects) hash.update(mask);
  return hash.digest("hex").slice(0, 16);
};

function area(mask: Uint8Array): number {
  let sum = 0;
  for (const on of mask) sum += on;
  return sum;
}

describe("a scene", () => {
  it("has 1 to 4 objects of different classes, all numbers occurring", () => {
    for (const { objects } of [...seen, ...heldOut]) {
      expect(new Set(objects.map(({ classIndex }) => classIndex)).size).toBe(objects.length);
    }
    expect(new Set(seen.map(({ objects }) => objects.length))).toEqual(new Set([1, 2, 3, 4]));
  });

  it("has boxes that touch the mask on all four sides and leave none of it out", () => {
    for (const { objects, image } of seen) {
      for (const { box, mask } of objects) {
        const inside = (left: number, top: number, width: number, height: number): number => {
          let sum = 0;
          for (let y = top; y < top + height; y++) {
            for (let x = left; x < left + width; x++) sum += mask[y * image.width + x]!;
          }
          return sum;
        };
        const { x, y, width, height } = box;
        expect(inside(x, y, width, height)).toBe(inside(0, 0, image.width, image.height));
        expect(inside(x, y, width, 1)).toBeGreaterThan(0);
        expect(inside(x, y + height - 1, width, 1)).toBeGreaterThan(0);
        expect(inside(x, y, 1, height)).toBeGreaterThan(0);
        expect(inside(x + width - 1, y, 1, height)).toBeGreaterThan(0);
      }
    }
  });

  it("has masks that do not overlap", () => {
    for (const { objects } of seen) {
      const sum = new Uint8Array(128 * 128);
      for (const { mask } of objects) for (let i = 0; i < mask.length; i++) sum[i]! += mask[i]!;
      expect(Math.max(...sum)).toBe(1);
    }
  });

  it("shows at least the promised share of every object, at both sizes in use", () => {
    let covered = 0;
    for (let seed = 0; seed < 40; seed++) {
      const plan = planScene(randomFrom(seed), sprites, "seen");
      for (const size of [128, 384]) {
        const scene = makeScene(seed, { size, styles: "seen", sprites });
        plan.objects.forEach(({ sprite, placement }, k) => {
          const whole = solidPart(sprite) * (placement.extent * size) ** 2;
          const share = area(scene.objects[k]!.mask) / whole;
          expect(share).toBeGreaterThanOrEqual(MIN_VISIBLE_SHARE);
          expect(share).toBeLessThan(1.1);
          if (share < 0.9) covered++;
        });
      }
    }
    // Or nothing would be occluded, and the test above about nothing.
    expect(covered).toBeGreaterThan(30);
  });

  it("shows the objects exactly where their masks are", () => {
    // Black discs stay black however they are recoloured, and nothing else in a scene is black.
    const disc = (level: number): readonly Level[] => {
      const data = new Uint8Array(128 * 128 * 4);
      for (let i = 0; i < 128 * 128; i++) {
        const distance = Math.hypot((i % 128) - 63.5, Math.floor(i / 128) - 63.5);
        if (distance < 60) data.set([level, level, level, 255], i * 4);
      }
      return levelsOf({ side: 128, data });
    };
    const discs: Atlas = {
      styles: [{ name: "discs", heldOut: false }],
      sprites: [...classes.keys(), null].map((classIndex) => ({
        style: "discs",
        design: "disc",
        classIndex,
        levels: disc(classIndex === null ? 200 : 0),
      })),
    };
    const size = 128;
    for (let seed = 0; seed < 25; seed++) {
      const { image, objects } = makeScene(seed, { size, styles: "seen", sprites: discs });
      const union = new Uint8Array(size * size);
      for (const { mask } of objects) for (let i = 0; i < mask.length; i++) union[i]! |= mask[i]!;
      let [inner, black] = [0, 0];
      for (let i = 0; i < union.length; i++) {
        const isBlack = Math.max(...image.data.subarray(i * 3, i * 3 + 3)) < 5;
        if (isBlack) expect(union[i]).toBe(1);
        // Away from the border, where a disc's edge is mixed with what lies behind it.
        if (![-2, -1, 0, 1, 2].every((d) => union[i + d] === 1 && union[i + d * size] === 1)) continue;
        inner++;
        if (isBlack) black++;
      }
      // Thin strokes may cross a disc without covering half of any pixel.
      expect(black / inner).toBeGreaterThan(0.95);
    }
  });

  it("is the same to the byte whenever it is made, and on every machine", () => {
    const digests = [0, 1, 7, 123_456].map((seed) => digest(makeScene(seed, { size: 128, styles: "seen", sprites })));
    expect(digests).toEqual(["5f95a3203a791a2d", "f0625a716ccd8cb4", "409e8cfc71162287", "6f285235c7d85839"]);
    expect(digest(makeScene(7, { size: 384, styles: "held-out", sprites }))).toBe("e37318deaf695d12");
  });

  it("differs from seed to seed", () => {
    expect(new Set(seen.map(digest)).size).toBe(seen.length);
  });

  it("shows the same objects at every size", () => {
    for (let seed = 0; seed < 30; seed++) {
      const large = makeScene(seed, { size: 256, styles: "seen", sprites });
      expect(large.objects.map(({ classIndex, style }) => [classIndex, style])).toEqual(
        seen[seed]!.objects.map(({ classIndex, style }) => [classIndex, style]),
      );
      large.objects.forEach(({ box }, k) => {
        const small = seen[seed]!.objects[k]!.box;
        expect(Math.abs(box.x / 2 - small.x)).toBeLessThanOrEqual(2);
        expect(Math.abs(box.height / 2 - small.height)).toBeLessThanOrEqual(3);
      });
    }
  });

  it("never shows the held-out style in seen scenes, and nothing else in held-out ones", () => {
    const held = sprites.styles.filter((style) => style.heldOut).map(({ name }) => name);
    expect(held).toEqual(["twemoji"]);
    for (const { objects } of seen) for (const { style } of objects) expect(held).not.toContain(style);
    for (const { objects } of heldOut) for (const { style } of objects) expect(held).toContain(style);
    // Distractors too.
    for (let seed = 0; seed < 300; seed++) {
      const { things } = planScene(randomFrom(seed), sprites, "seen");
      const styles = things.flatMap((thing) => (thing.kind === "sprite" ? [thing.sprite.style] : []));
      expect(styles).not.toContain("twemoji");
    }
  });

  it.each(["seen", "held-out"] as const)("shows every class about equally often in %s scenes", (styles) => {
    const counts = classes.map(() => 0);
    for (let seed = 0; seed < 6000; seed++) {
      for (const { sprite } of planScene(randomFrom(seed), sprites, styles).objects) counts[sprite.classIndex!]!++;
    }
    const mean = counts.reduce((sum, count) => sum + count, 0) / classes.length;
    expect(Math.min(...counts)).toBeGreaterThan(mean * 0.85);
    expect(Math.max(...counts)).toBeLessThan(mean * 1.15);
  });
});

describe("the atlas", () => {
  it("has every class in the held-out style and in at least four seen ones", () => {
    classes.forEach((_, k) => {
      const styles = new Set(sprites.sprites.filter(({ classIndex }) => classIndex === k).map(({ style }) => style));
      expect(styles).toContain("twemoji");
      expect(styles.size).toBeGreaterThanOrEqual(5);
    });
  });

  it("holds drawings of the table alone, under the class the table has them under", () => {
    expect(Object.keys(classDesigns)).toEqual(classes.map(({ name }) => name));
    expect(sprites.styles).toEqual(iconSets.map(({ name, heldOut: held }) => ({ name, heldOut: held })));
    for (const { design, classIndex } of sprites.sprites) {
      const designs = classIndex === null ? distractorDesigns : classDesigns[classes[classIndex]!.name];
      expect(designs).toContain(design);
    }
  });

  it("has every set's package, version and licence written down", () => {
    const folder = new URL("../../infra/demo/", import.meta.url);
    const assets = readFileSync(new URL("ASSETS.md", folder), "utf8");
    const { dependencies } = JSON.parse(readFileSync(new URL("sprites/package.json", folder), "utf8"));
    for (const { name } of iconSets) {
      const version = dependencies[`@iconify-json/${name}`];
      expect(assets).toMatch(new RegExp(`@iconify-json/${name} ${version} \\| (Apache-2\\.0|MIT|CC-BY-4\\.0) \\|`));
    }
  });

  it("has sprites that fill their cell and do not touch its border", () => {
    for (const { levels, design, style } of sprites.sprites) {
      const { side, data } = levels[0]!;
      const name = `${style} ${design}`;
      expect(side, name).toBe(128);
      const solid = [...Array(side * side).keys()].filter((i) => data[i * 4 + 3]! >= SOLID);
      const xs = solid.map((i) => i % side);
      const ys = solid.map((i) => Math.floor(i / side));
      const [width, height] = [Math.max(...xs) - Math.min(...xs), Math.max(...ys) - Math.min(...ys)];
      expect(Math.max(width, height), name).toBeGreaterThan(110);
      expect(Math.min(...xs, ...ys), name).toBeGreaterThan(0);
      expect(Math.max(...xs, ...ys), name).toBeLessThan(127);
    }
  });

  it("halves a sprite by the mean of four", () => {
    const data = new Uint8Array(16 * 16 * 4);
    data.set([200, 100, 0, 255], 0);
    const [, half] = levelsOf({ side: 16, data });
    expect([...half!.data.subarray(0, 4)]).toEqual([50, 25, 0, 64]);
    expect(half!.data.subarray(4).every((value) => value === 0)).toBe(true);
  });
});
