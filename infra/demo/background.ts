/** @file Grounds scenes stand on: meadow, sea, planks, cloth … as procedures over the unit square. No objects. */
import { type Canvas, type Colour, clamp, edge, hsl, mix, randomColour } from "./canvas.ts";
import { type Noise, noiseFrom, type Random, randomTurn } from "./random.ts";

/** The colour at a point of the unit square; `soft` is a pixel's width there, for edges that do not jag. */
type Paint = (x: number, y: number, soft: number) => Colour;
type Ground = (random: Random, noise: Noise) => Paint;

/** Noise with detail: two finer octaves on top, in [0, 1]. */
const cloudy = (noise: Noise, x: number, y: number): number =>
  (4 * noise(x, y) + 2 * noise(2 * x + 17, 2 * y + 5) + noise(4 * x + 3, 4 * y + 29)) / 7;

/** Math.hypot may differ between engines. */
const length = (x: number, y: number): number => Math.sqrt(x * x + y * y);

/** A smooth wave of period 1 between 0 and 1, two parabolas a period. */
function wave(t: number): number {
  const f = 2 * (t - Math.floor(t));
  return f < 1 ? 0.5 + 2 * f * (1 - f) : 0.5 - 2 * (f - 1) * (2 - f);
}

/** How far t lies inside the second half of its period, by sign; in units of t. */
const halfPeriod = (t: number): number => {
  const f = t - Math.floor(t);
  return f < 0.5 ? Math.min(f, 0.5 - f) : -Math.min(f - 0.5, 1 - f);
};

/** Two colours that go together: near in hue, apart in lightness. */
function pair(random: Random): readonly [Colour, Colour] {
  const hue = random.unit();
  const saturation = random.between(0.25, 0.7);
  const lightness = random.between(0.5, 0.85);
  const apart = random.between(0.08, 0.22) * (lightness > 0.65 ? -1 : 1);
  return [
    hsl(hue, saturation, lightness),
    hsl(hue + random.between(-0.08, 0.08), random.between(0.25, 0.7), lightness + apart),
  ];
}

const skyColours = (random: Random): readonly [Colour, Colour] =>
  random.pick<readonly [Colour, Colour]>([
    [hsl(0.58, 0.65, 0.62), hsl(0.54, 0.6, 0.86)],
    [hsl(0.6, 0.5, 0.5), hsl(0.07, 0.7, 0.82)],
    [hsl(0.75, 0.35, 0.58), hsl(0.03, 0.7, 0.78)],
    [hsl(0.56, 0.3, 0.72), hsl(0.56, 0.2, 0.9)],
  ]);

const sky: Ground = (random, noise) => {
  const [top, bottom] = skyColours(random);
  const cover = random.between(0.45, 0.6);
  const stretch = random.between(2, 4);
  return (x, y) => {
    const cloud = clamp((cloudy(noise, x * stretch, y * stretch * 1.8) - cover) * 5, 0, 0.9);
    return mix(mix(top, bottom, y), [255, 255, 255], cloud);
  };
};

const meadow: Ground = (random, noise) => {
  const hue = random.between(0.2, 0.34);
  const dark = hsl(hue, 0.45, random.between(0.24, 0.34));
  const light = hsl(hue - 0.04, 0.5, random.between(0.46, 0.6));
  const blades = random.between(30, 50);
  return (x, y) => {
    const patch = cloudy(noise, x * 4, y * 4);
    const grass = noise(x * blades, y * blades * 0.3) + noise(x * blades * 2.3, y * blades * 0.6);
    return mix(dark, light, clamp(patch * 1.2 - 0.3 + (grass - 1) * 0.45, 0, 1));
  };
};

const sea: Ground = (random, noise) => {
  const [top, bottom] = skyColours(random);
  const horizon = random.between(0.12, 0.45);
  const hue = random.between(0.48, 0.6);
  const [near, far, foam] = [hsl(hue, 0.6, 0.36), hsl(hue, 0.5, 0.6), hsl(hue, 0.4, 0.85)];
  const waves = random.between(5, 9);
  return (x, y, soft) => {
    const below = y - horizon;
    if (below < -soft) return mix(top, bottom, y / horizon);
    const depth = clamp(below / (1 - horizon), 0, 1);
    // Nearer waves are longer: the phase grows with the root-like d / (d + c) of the distance from the horizon.
    const phase = (waves * 3 * depth) / (depth + 0.6) + noise(x * 7, y * 9) * 1.1;
    const crest = clamp((wave(phase) - 0.72) * 3, 0, 1) * depth;
    return mix(mix(bottom, mix(far, near, depth), edge(-below, soft)), foam, crest * 0.6);
  };
};

const sand: Ground = (random, noise) => {
  const hue = random.between(0.08, 0.13);
  const [dark, light] = [hsl(hue, 0.4, 0.6), hsl(hue, 0.55, 0.82)];
  const ripples = random.between(6, 12);
  const turn = randomTurn(random, 0.4);
  return (x, y) => {
    const across = x * turn.sin + y * turn.cos;
    const ripple = wave(across * ripples + cloudy(noise, x * 3, y * 3) * 2.5);
    return mix(dark, light, clamp(ripple * 0.55 + noise(x * 60, y * 60) * 0.35 + 0.1, 0, 1));
  };
};

const planks: Ground = (random, noise) => {
  const hue = random.between(0.05, 0.1);
  const lightness = random.between(0.4, 0.7);
  const [dark, light] = [hsl(hue, 0.4, lightness - 0.12), hsl(hue, 0.45, lightness + 0.1)];
  const seam = hsl(hue, 0.4, lightness - 0.25);
  const count = random.between(3, 7);
  const upright = random.chance(0.5);
  return (x, y, soft) => {
    const across = (upright ? x : y) * count;
    const along = upright ? y : x;
    const board = Math.floor(across);
    const grain = cloudy(noise, across * 5 + board * 7, along * 2.5 + board * 3.3);
    const tone = noise(board * 5.5, 0.5) * 0.5;
    const inside = Math.min(across - board, board + 1 - across) / count;
    return mix(seam, mix(dark, light, clamp(grain * 0.8 + tone - 0.15, 0, 1)), edge(0.005 - inside, soft + 0.004));
  };
};

const stripes: Ground = (random) => {
  const [a, b] = pair(random);
  const turn = randomTurn(random, 1);
  const count = random.between(3, 9);
  const shift = random.unit();
  return (x, y, soft) => {
    const t = (x * turn.cos + y * turn.sin) * count + shift;
    return mix(a, b, edge(halfPeriod(t) / count, soft));
  };
};

const checks: Ground = (random) => {
  const [a, b] = pair(random);
  const turn = randomTurn(random, 0.3);
  const count = random.between(3, 7);
  return (x, y, soft) => {
    const across = edge(halfPeriod((x * turn.cos + y * turn.sin) * count) / count, soft);
    const down = edge(halfPeriod((y * turn.cos - x * turn.sin) * count) / count, soft);
    return mix(a, b, (across + down) / 2);
  };
};

const dots: Ground = (random) => {
  const [a, b] = pair(random);
  const turn = randomTurn(random, 0.4);
  const count = random.between(4, 9);
  const radius = random.between(0.18, 0.34);
  return (x, y, soft) => {
    const v = (y * turn.cos - x * turn.sin) * count;
    const row = Math.floor(v);
    const u = (x * turn.cos + y * turn.sin) * count + (row & 1) * 0.5;
    const distance = length(u - Math.floor(u) - 0.5, v - row - 0.5);
    return mix(a, b, edge((distance - radius) / count, soft));
  };
};

const bricks: Ground = (random, noise) => {
  const hue = random.between(0, 0.08);
  const [dark, light] = [hsl(hue, 0.4, 0.45), hsl(hue, 0.45, 0.62)];
  const mortar = hsl(0.1, 0.12, random.between(0.68, 0.86));
  const rows = random.between(5, 10);
  return (x, y, soft) => {
    const row = Math.floor(y * rows);
    const across = x * rows * 0.5 + (row & 1) * 0.5;
    const brick = Math.floor(across);
    const inRow = Math.min(y * rows - row, row + 1 - y * rows);
    const inBrick = Math.min(across - brick, brick + 1 - across) * 2;
    const tone = noise(brick * 7.5 + 0.5, row * 3.5 + 0.5) * 0.7 + noise(x * 40, y * 40) * 0.4;
    return mix(mortar, mix(dark, light, clamp(tone, 0, 1)), edge((0.06 - Math.min(inRow, inBrick)) / rows, soft));
  };
};

const blobs: Ground = (random, noise) => {
  const [a, b] = pair(random);
  const c = randomColour(random, 0.55, 0.85);
  const scale = random.between(2, 5);
  return (x, y, soft) => {
    const level = cloudy(noise, x * scale, y * scale);
    const second = noise(x * scale + 31, y * scale + 11);
    // Noise rises by about `scale` a unit: dividing by it makes the step as wide as a pixel or two.
    const width = soft * scale * 1.5;
    return mix(mix(a, b, edge(0.5 - level, width)), c, edge(0.62 - second, width));
  };
};

/** Light out of focus. */
const lights: Ground = (random) => {
  const [a, b] = [randomColour(random, 0.25, 0.5), randomColour(random, 0.4, 0.75)];
  const turn = randomTurn(random, 1);
  const discs = Array.from({ length: 6 }, () => ({
    x: random.unit(),
    y: random.unit(),
    radius: random.between(0.06, 0.2),
    part: random.between(0.15, 0.4),
  }));
  return (x, y, soft) => {
    let colour = mix(a, b, clamp(0.5 + (x - 0.5) * turn.cos + (y - 0.5) * turn.sin, 0, 1));
    for (const disc of discs) {
      const cover = edge(length(x - disc.x, y - disc.y) - disc.radius, soft + 0.02);
      if (cover > 0) colour = mix(colour, [255, 246, 224], cover * disc.part);
    }
    return colour;
  };
};

const night: Ground = (random, noise) => {
  const hue = random.between(0.6, 0.75);
  const [top, bottom, glow] = [hsl(hue, 0.5, 0.13), hsl(hue, 0.45, 0.3), hsl(hue + 0.1, 0.5, 0.5)];
  const cells = 14;
  return (x, y, soft) => {
    const ground = mix(mix(top, bottom, y), glow, clamp(cloudy(noise, x * 2.5, y * 2.5) - 0.5, 0, 1));
    const i = Math.floor(x * cells);
    const j = Math.floor(y * cells);
    // A star in about half of the cells, where the noise of the cell says and as bright.
    const bright = clamp(noise(i, j + 20) * 2 - 1, 0, 1);
    if (bright === 0) return ground;
    const distance = length(x * cells - i - 0.15 - 0.7 * noise(i, j), y * cells - j - 0.15 - 0.7 * noise(i + 20, j));
    return mix(ground, [255, 250, 230], bright * edge((distance - 0.08) / cells, soft));
  };
};

const hills: Ground = (random, noise) => {
  const [top, bottom] = skyColours(random);
  const hue = random.between(0.22, 0.42);
  const ridges = [0.42, 0.58, 0.74].map((height, k) => ({
    height: height + random.between(-0.06, 0.06),
    colour: hsl(hue + 0.1 - 0.04 * k, 0.25 + 0.1 * k, 0.62 - 0.09 * k),
    pace: random.between(1.5, 3.5),
  }));
  return (x, y, soft) => {
    let colour = mix(top, bottom, clamp(y * 1.7, 0, 1));
    for (const { height, colour: slope, pace } of ridges) {
      const line = height - (noise(x * pace + height * 40, 3.5) - 0.5) * 0.24;
      const cover = edge(line - y, soft);
      if (cover > 0) colour = mix(colour, mix(slope, [255, 255, 240], (noise(x * 30, y * 30) - 0.4) * 0.12), cover);
    }
    return colour;
  };
};

const notebook: Ground = (random, noise) => {
  const paper = hsl(random.between(0.08, 0.16), 0.4, random.between(0.88, 0.95));
  const shade = hsl(0.1, 0.2, 0.6);
  const ink = randomColour(random, 0.6, 0.75);
  const lines = random.between(9, 16);
  const squared = random.chance(0.5);
  return (x, y, soft) => {
    const row = Math.abs(y * lines - Math.floor(y * lines) - 0.5);
    const column = squared ? Math.abs(x * lines - Math.floor(x * lines) - 0.5) : row;
    const line = edge(Math.min(row, column) / lines - 0.003, soft);
    return mix(mix(paper, shade, noise(x * 50, y * 50) * 0.12), ink, line * 0.8);
  };
};

/** A papered wall, skirting board, and floor. */
const room: Ground = (random, noise) => {
  const wall = random.pick([stripes, dots, blobs])(random, noise);
  const floor = planks(random, noise);
  const plain = randomColour(random, 0.68, 0.88);
  const corner = random.between(0.6, 0.8);
  return (x, y, soft) => {
    const paper = mix(wall(x, y, soft), plain, 0.75);
    const board = mix(paper, [246, 243, 236], edge(corner - 0.045 - y, soft));
    const below = edge(corner - y, soft);
    return below === 0 ? board : mix(board, floor(x, y, soft), below);
  };
};

/** By name, so that contact sheets can show each. */
export const grounds: Readonly<Record<string, Ground>> = {
  sky,
  meadow,
  sea,
  sand,
  planks,
  stripes,
  checks,
  dots,
  bricks,
  blobs,
  lights,
  night,
  hills,
  notebook,
  room,
};
const groundList = Object.values(grounds);

/** Paints one of the grounds over the whole canvas. */
export function paintBackground(canvas: Canvas, random: Random): void {
  const { size, pixels } = canvas;
  const ground = random.pick(groundList);
  const paint = ground(random, noiseFrom(random));
  const soft = 1 / size;
  let to = 0;
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++, to += 3) {
      const colour = paint((x + 0.5) * soft, (y + 0.5) * soft, soft);
      pixels[to] = colour[0];
      pixels[to + 1] = colour[1];
      pixels[to + 2] = colour[2];
    }
  }
}
