/**
 * @file Draws the scene of the README's picture: a daisy and a traffic light, two classes of ImageNet a classifier
 *   knows, painted by formula so that it is ours to ship. Writes scene.png beside this file; the same bytes every time.
 */
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { encodeImage } from "../../shared/imaging/encode.ts";
import { nodeCodecs } from "../../shared/runtime/node-codecs.ts";

type Colour = readonly [number, number, number];
/** A picture as a function: the colour at a point, over the colour that is there already. */
type Paint = (x: number, y: number, under: Colour) => Colour;

const side = 384;
/** Samples a pixel and axis, against jagged edges. */
const samples = 3;

const mix = (a: Colour, b: Colour, t: number): Colour => {
  const s = Math.min(1, Math.max(0, t));
  return [a[0] + (b[0] - a[0]) * s, a[1] + (b[1] - a[1]) * s, a[2] + (b[2] - a[2]) * s];
};

/** A number in [0, 1) for each lattice point, the same on every machine. */
const lattice = (i: number, j: number): number => {
  const mixed = Math.imul(Math.imul(i, 374761393) + Math.imul(j, 668265263), 1274126177);
  return ((mixed ^ (mixed >>> 15)) >>> 8) / 2 ** 24;
};

/** Smooth noise, four octaves, in [0, 1]. */
function noise(x: number, y: number): number {
  const smooth = (t: number): number => t * t * (3 - 2 * t);
  const octave = (px: number, py: number): number => {
    const [i, j] = [Math.floor(px), Math.floor(py)];
    const [u, v] = [smooth(px - i), smooth(py - j)];
    const along = (row: number): number => lattice(i, row) * (1 - u) + lattice(i + 1, row) * u;
    return along(j) * (1 - v) + along(j + 1) * v;
  };
  return [1, 2, 4, 8].reduce((sum, f, k) => sum + octave(x * f, y * f) * ([0.5, 0.25, 0.125, 0.125][k] ?? 0), 0);
}

const meadow: Paint = (x, y) => {
  const ground = mix([30, 78, 28], [104, 154, 62], noise(x / 40, y / 40));
  return mix(ground, [18, 46, 20], (noise(x / 6 + 9, y / 16) - 0.55) * 2);
};

const daisy =
  (cx: number, cy: number, radius: number): Paint =>
  (x, y, under) => {
    const [dx, dy] = [x - cx, (y - cy) * 1.05];
    const distance = Math.hypot(dx, dy) / radius;
    const angle = Math.atan2(dy, dx);
    if (distance < 0.25) {
      const light = Math.hypot(dx + radius * 0.07, dy + radius * 0.08) / (0.29 * radius);
      return mix(mix([252, 212, 40], [212, 138, 12], light ** 2), [140, 84, 8], (noise(x / 2.2, y / 2.2) - 0.5) * 0.9);
    }
    // Two rings of petals, the nearer one first.
    for (const [turn, length, shade] of [
      [0.1, 1, 0],
      [0.1 + Math.PI / 15, 0.92, 0.4],
    ] as const) {
      const step = (2 * Math.PI) / 15;
      const petal = Math.round((angle - turn) / step);
      const off = distance * Math.sin(angle - turn - petal * step);
      const reach = length * (0.95 + 0.07 * Math.sin(petal * 12.9898));
      const width = 0.088 * Math.sqrt(Math.max(0, 1 - ((distance - 0.6) / (reach - 0.6)) ** 2));
      if (distance > 0.2 && distance < reach && Math.abs(off) < width) {
        const crease = 0.12 + 0.12 * Math.cos(off * 95);
        return mix(
          [255, 255, 255],
          [186, 192, 214],
          shade + crease + (Math.abs(off) / 0.088) * 0.3 + Math.max(0, 0.42 - distance),
        );
      }
    }
    return under;
  };

const trafficLight =
  (cx: number, cy: number, unit: number): Paint =>
  (x, y, under) => {
    const [dx, dy] = [(x - cx) / unit, (y - cy) / unit];
    const inBox = Math.hypot(Math.max(Math.abs(dx) - 0.45, 0), Math.max(Math.abs(dy) - 1.5, 0)) < 0.16;
    if (!inBox) {
      return Math.abs(dx) < 0.12 && dy > 1.5 ? mix([74, 78, 82], [38, 40, 43], Math.abs(dx) / 0.12) : under;
    }
    const lamps: readonly (readonly [number, Colour, boolean])[] = [
      [-1, [255, 62, 40], true],
      [0, [92, 70, 18], false],
      [1, [14, 66, 36], false],
    ];
    for (const [at, colour, lit] of lamps) {
      const distance = Math.hypot(dx, dy - at);
      if (distance < 0.41) {
        if (lit) return mix(colour, [255, 232, 210], Math.max(0, 1 - distance / 0.41) ** 2 * 0.8);
        return mix(colour, mix(colour, [255, 255, 255], 0.35), 1 - Math.hypot(dx + 0.12, dy - at + 0.14) / 0.3);
      }
      if (distance < 0.47) return [14, 14, 15];
    }
    return mix([46, 48, 50], [20, 21, 23], (dx + 0.6) / 1.2);
  };

const layers: readonly Paint[] = [meadow, daisy(252, 236, 96), trafficLight(110, 150, 60)];

function render(): Uint8Array {
  const data = new Uint8Array(side * side * 3);
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      const total = [0, 0, 0];
      for (let s = 0; s < samples * samples; s++) {
        const px = x + ((s % samples) + 0.5) / samples;
        const py = y + (Math.floor(s / samples) + 0.5) / samples;
        const colour = layers.reduce<Colour>((under, paint) => paint(px, py, under), [0, 0, 0]);
        for (const [k, value] of colour.entries()) total[k] = (total[k] ?? 0) + value / samples ** 2;
      }
      const grain = (lattice(x + 7000, y) - 0.5) * 6;
      for (const [k, value] of total.entries())
        data[(y * side + x) * 3 + k] = Math.min(255, Math.max(0, value + grain));
    }
  }
  return data;
}

const path = fileURLToPath(new URL("scene.png", import.meta.url));
writeFileSync(path, await encodeImage({ width: side, height: side, data: render() }, "png", nodeCodecs()));
console.log(`drew ${path}`);
