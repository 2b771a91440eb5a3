/**
 * @file Draws the atlas: every design of every icon set as a sprite, one WebP sheet a set, and the index of them.
 *   Only for who changes the sprites; the sheets are committed. Run `npm ci` in this folder first, then
 *   `node --import tsx infra/demo/sprites/build.ts`. Other versions of the sets or the encoder give other bytes.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { initWasm, Resvg } from "@resvg/resvg-wasm";
import { nodeCodecs } from "../../../shared/runtime/node-codecs.ts";
import { type AtlasIndex, atlasFolder, type SpriteEntry } from "../atlas.ts";
import { classDesigns, distractorDesigns, type IconSet, iconSets } from "./designs.ts";

/** Objects cover up to half of a scene shown at 384 pixels: 128 is enlarged a little there, and reduced in training. */
const side = 128;
/** Pixels left free around a drawing, so that its edge is not cut when it is sampled between pixels. */
const margin = 2;
const columns = 8;
/** Of 100; at 88 no block shows on the sprites, at 95 the sheets have half as many bytes again. */
const quality = 88;
/** Alpha below it is an antialiased fringe or a shadow, not part of the drawing's extent. */
const visible = 100;

/** As in an Iconify package's icons.json. */
interface Icons {
  readonly width?: number;
  readonly height?: number;
  readonly icons: Readonly<
    Record<string, { readonly body: string; readonly width?: number; readonly height?: number }>
  >;
  readonly aliases?: Readonly<Record<string, { readonly parent: string }>>;
}

/** A drawing and the size of its own coordinates. */
interface Drawing {
  readonly body: string;
  readonly width: number;
  readonly height: number;
}

const require = createRequire(import.meta.url);

function drawingOf(set: IconSet, icons: Icons, design: string): Drawing | null {
  const own = set.own[design];
  if (own === null) return null;
  const name = own ?? design;
  const icon = icons.icons[name] ?? icons.icons[icons.aliases?.[name]?.parent ?? ""];
  if (icon === undefined) return null;
  return { body: icon.body, width: icon.width ?? icons.width ?? 16, height: icon.height ?? icons.height ?? 16 };
}

/** The whole drawing, its longer side `extent` pixels, centred in a square. */
function render({ body, width, height }: Drawing, extent: number): Uint8Array {
  const whole = Math.max(width, height);
  const viewBox = `${(width - whole) / 2} ${(height - whole) / 2} ${whole} ${whole}`;
  const svg =
    `<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="${extent}" ` +
    `height="${extent}" viewBox="${viewBox}">${body}</svg>`;
  return new Resvg(svg).render().pixels;
}

/** The drawing as large as its cell allows, in the middle of it. */
function spriteOf(drawing: Drawing): Uint8Array {
  const draft = render(drawing, side);
  let [left, top, right, bottom] = [side, side, 0, 0];
  for (let i = 0; i < side * side; i++) {
    if ((draft[i * 4 + 3] ?? 0) < visible) continue;
    left = Math.min(left, i % side);
    right = Math.max(right, (i % side) + 1);
    top = Math.min(top, Math.floor(i / side));
    bottom = Math.max(bottom, Math.floor(i / side) + 1);
  }
  const zoom = (side - 2 * margin) / Math.max(right - left, bottom - top);
  const extent = Math.floor(side * zoom);
  const whole = render(drawing, extent);
  const firstX = Math.round(((left + right) / 2) * zoom - side / 2);
  const firstY = Math.round(((top + bottom) / 2) * zoom - side / 2);
  const out = new Uint8Array(side * side * 4);
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      const [fromX, fromY] = [firstX + x, firstY + y];
      if (fromX < 0 || fromY < 0 || fromX >= extent || fromY >= extent) continue;
      const from = (fromY * extent + fromX) * 4;
      out.set(whole.subarray(from, from + 4), (y * side + x) * 4);
    }
  }
  return out;
}

/** The sprites as one picture, row by row, colours no longer multiplied by alpha. */
function sheetOf(sprites: readonly Uint8Array[]): ImageData {
  const width = columns * side;
  const height = Math.ceil(sprites.length / columns) * side;
  const data = new Uint8ClampedArray(width * height * 4);
  sprites.forEach((pixels, index) => {
    const corner = (Math.floor(index / columns) * width * side + (index % columns) * side) * 4;
    for (let i = 0; i < side * side; i++) {
      const to = corner + (Math.floor(i / side) * width + (i % side)) * 4;
      const alpha = pixels[i * 4 + 3] ?? 0;
      for (let c = 0; c < 3; c++) data[to + c] = alpha === 0 ? 0 : ((pixels[i * 4 + c] ?? 0) * 255) / alpha;
      data[to + 3] = alpha;
    }
  });
  return { width, height, data, colorSpace: "srgb" };
}

const wanted: readonly SpriteEntry[] = [
  ...Object.entries(classDesigns).flatMap(([name, designs]) => designs.map((design) => ({ class: name, design }))),
  ...distractorDesigns.map((design) => ({ class: null, design })),
];

async function build(): Promise<void> {
  await initWasm(readFileSync(require.resolve("@resvg/resvg-wasm/index_bg.wasm")));
  mkdirSync(atlasFolder, { recursive: true });
  const styles = [];
  for (const set of iconSets) {
    // A package's own file, of the shape Iconify documents.
    const icons = require(`@iconify-json/${set.name}/icons.json`) as Icons;
    const found = wanted.flatMap((entry) => {
      const drawing = drawingOf(set, icons, entry.design);
      return drawing === null ? [] : [{ entry, pixels: spriteOf(drawing) }];
    });
    const file = `${set.name}.webp`;
    const bytes = await nodeCodecs().encodeWebp(sheetOf(found.map(({ pixels }) => pixels)), quality);
    writeFileSync(new URL(file, atlasFolder), bytes);
    styles.push({ name: set.name, heldOut: set.heldOut, file, sprites: found.map(({ entry }) => entry) });
    process.stderr.write(`${set.name}: ${found.length} sprites, ${bytes.length} bytes\n`);
  }
  const index: AtlasIndex = { side, columns, styles };
  writeFileSync(new URL("atlas.json", atlasFolder), `${JSON.stringify(index, null, 2)}\n`);
}

await build();
