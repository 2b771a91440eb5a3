/**
 * @file Random changes to a training picture: what must not matter to the classifier. They make a scene worth seeing
 * several times; size and turn of objects vary with the scene itself.
 */

import type { Random } from "../random.ts";

/** How often each change happens. */
const chances = { grey: 0.1, swap: 0.15, blur: 0.15, noise: 0.15, cutout: 0.25 } as const;
/** Contrast and each channel's share are multiplied by 1 +- this. */
const contrastSpread = 0.35;
const channelSpread = 0.2;
/** Brightness is moved by up to this, of 255. */
const brightnessSpread = 40;
const noiseMax = 24;
/** Largest side of the grey patch of a cutout, as a part of the picture's. */
const cutoutMax = 0.3;

/** Pictures are moved by up to this part of their side, their border repeated. */
const shiftMax = 0.07;

/** How much each output channel takes of each input channel, and what is added. */
type ColourMap = readonly (readonly [red: number, green: number, blue: number, offset: number])[];

/**
 * Changes RGB bytes of a square picture in place.
 * @param strength 1 for all of it, less for milder and rarer changes of colour and sharpness, 0 for none
 */
export function augment(data: Uint8Array, size: number, strength: number, random: Random): void {
  moveAndMirror(data, size, random);
  recolour(data, drawColours(strength, random));
  if (random.chance(strength * chances.blur)) blur(data, size);
  if (random.chance(strength * chances.noise)) addNoise(data, random.between(0, noiseMax), random);
  if (random.chance(strength * chances.cutout)) cutOut(data, size, random);
}

function moveAndMirror(data: Uint8Array, size: number, random: Random): void {
  const source = data.slice();
  const most = Math.round(shiftMax * size);
  const mirrored = random.chance(0.5);
  const places = (mirror: boolean): Int32Array => {
    const shift = random.below(2 * most + 1) - most;
    return Int32Array.from({ length: size }, (_, i) => {
      const from = Math.max(0, Math.min(size - 1, i + shift));
      return mirror ? size - 1 - from : from;
    });
  };
  const [columns, rows] = [places(mirrored), places(false)];
  for (let y = 0, to = 0; y < size; y += 1) {
    const row = rows[y]! * size;
    for (let x = 0; x < size; x += 1, to += 3) {
      const from = (row + columns[x]!) * 3;
      data[to] = source[from]!;
      data[to + 1] = source[from + 1]!;
      data[to + 2] = source[from + 2]!;
    }
  }
}

function drawColours(strength: number, random: Random): ColourMap {
  const spread = (by: number): number => random.between(1 - strength * by, 1 + strength * by);
  const contrast = spread(contrastSpread);
  // Contrast turns about the middle grey.
  const offset = 128 * (1 - contrast) + strength * random.between(-brightnessSpread, brightnessSpread);
  const [r, g, b] = [
    contrast * spread(channelSpread),
    contrast * spread(channelSpread),
    contrast * spread(channelSpread),
  ];
  if (random.chance(strength * chances.grey)) {
    const luma = [0.299 * contrast, 0.587 * contrast, 0.114 * contrast, offset] as const;
    return [luma, luma, luma];
  }
  const rows: ColourMap = [
    [r, 0, 0, offset],
    [0, g, 0, offset],
    [0, 0, b, offset],
  ];
  if (!random.chance(strength * chances.swap)) return rows;
  const turn = 1 + random.below(2);
  return rows.map((_, i) => rows[(i + turn) % 3] ?? [0, 0, 0, offset]);
}

function recolour(data: Uint8Array, [red, green, blue]: ColourMap): void {
  if (!red || !green || !blue) throw new TypeError("three channels");
  const clamped = new Uint8ClampedArray(data.buffer, data.byteOffset, data.length);
  for (let i = 0; i < data.length; i += 3) {
    const [r, g, b] = [data[i]!, data[i + 1]!, data[i + 2]!];
    clamped[i] = red[0] * r + red[1] * g + red[2] * b + red[3];
    clamped[i + 1] = green[0] * r + green[1] * g + green[2] * b + green[3];
    clamped[i + 2] = blue[0] * r + blue[1] * g + blue[2] * b + blue[3];
  }
}

/** The mean over 3x3 pixels, one axis after the other; the outermost pixels stay. */
function blur(data: Uint8Array, size: number): void {
  const row = size * 3;
  for (const step of [3, row]) {
    const source = data.slice();
    const [first, last] = step === 3 ? [3, data.length - 3] : [row, data.length - row];
    for (let i = first; i < last; i += 1) data[i] = (source[i - step]! + source[i]! + source[i + step]!) / 3;
  }
}

function addNoise(data: Uint8Array, strength: number, random: Random): void {
  const clamped = new Uint8ClampedArray(data.buffer, data.byteOffset, data.length);
  for (let i = 0; i < data.length; i += 3) {
    const by = random.between(-strength, strength);
    for (let c = i; c < i + 3; c += 1) clamped[c] = data[c]! + by;
  }
}

function cutOut(data: Uint8Array, size: number, random: Random): void {
  const side = (): number => Math.ceil(random.between(0, cutoutMax) * size);
  const [width, height] = [side(), side()];
  const [left, top] = [random.below(size - width + 1), random.below(size - height + 1)];
  const grey = random.below(256);
  for (let y = top; y < top + height; y += 1) data.fill(grey, (y * size + left) * 3, (y * size + left + width) * 3);
}
