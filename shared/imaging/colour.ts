/** @file Colour maps: a number from 0 to 1 as R, G, B. Which number a map's value becomes is in `heatmap.ts`. */
import {
  interpolateInferno,
  interpolateMagma,
  interpolateRdBu,
  interpolateTurbo,
  interpolateViridis,
} from "d3-scale-chromatic";

/** The colour maps by name; `diverging` runs from blue over white to red, for signed maps. */
export const colourMapNames = ["viridis", "inferno", "magma", "turbo", "jet", "gray", "diverging"] as const;
export type ColourMapName = (typeof colourMapNames)[number];

/** 256 colours, three bytes each. */
export type ColourTable = Uint8Array;

export type Rgb = readonly [number, number, number];

const STEPS = 256;

/** d3 gives `#rrggbb` for its tables and `rgb(r, g, b)` for its formulas. */
function parseColour(text: string): Rgb {
  const hex = /^#(..)(..)(..)$/.exec(text);
  const parts = hex?.slice(1).map((digits) => Number.parseInt(digits, 16)) ?? text.match(/\d+/g)?.map(Number) ?? [];
  const [red = 0, green = 0, blue = 0] = parts;
  return [red, green, blue];
}

const clamp01 = (value: number): number => Math.min(1, Math.max(0, value));

/** MATLAB's jet: three trapezia a quarter apart. Offered because people know it; it invents edges. */
function jet(t: number): Rgb {
  const channel = (centre: number): number => Math.round(255 * clamp01(1.5 - Math.abs(4 * t - centre)));
  return [channel(3), channel(2), channel(1)];
}

function gray(t: number): Rgb {
  const level = Math.round(255 * t);
  return [level, level, level];
}

const formulas: Readonly<Record<ColourMapName, (t: number) => Rgb>> = {
  viridis: (t) => parseColour(interpolateViridis(t)),
  inferno: (t) => parseColour(interpolateInferno(t)),
  magma: (t) => parseColour(interpolateMagma(t)),
  turbo: (t) => parseColour(interpolateTurbo(t)),
  jet,
  gray,
  diverging: (t) => parseColour(interpolateRdBu(1 - t)),
};

const tables = new Map<ColourMapName, ColourTable>();

/** The table of a colour map; made on first use. */
export function colourTable(name: ColourMapName): ColourTable {
  const known = tables.get(name);
  if (known !== undefined) return known;
  const table = new Uint8Array(STEPS * 3);
  for (let i = 0; i < STEPS; i++) table.set(formulas[name](i / (STEPS - 1)), i * 3);
  tables.set(name, table);
  return table;
}

/** Where in a table the colour of `unit` begins; below 0 and above 1 are the ends. */
export function colourOffset(unit: number): number {
  return Math.round(clamp01(unit) * (STEPS - 1)) * 3;
}
