/** @file What a scene shows and where, decided on a coarse grid before anything is drawn: the same at every size. */
import type { Atlas } from "./atlas.ts";
import { NOBODY, randomColour } from "./canvas.ts";
import { classes } from "./classes.ts";
import { type Random, randomTurn } from "./random.ts";
import { alphaAt, eachPixel, levelFor, type Placement, recolour, SOLID, type Sprite } from "./sprite.ts";
import { eachStrokePixel, HALF_COVERED, randomStroke, type Stroke } from "./strokes.ts";

/** At least this part of every object is seen: the rest may lie behind others or outside the picture. */
export const MIN_VISIBLE_SHARE = 0.6;
/** The plan asks for more, since its grid is coarser than the picture. */
const PLANNED_SHARE = 0.66;
/** Cells a side of the grid; an object is at least 19 of them wide. */
const GRID = 64;
/** Places tried for an object; where none will do, the scene has one object fewer. */
const TRIES = 12;
/**
 * Tangents of half angles (random.ts): objects lean by up to 33 degrees; hues turn by up to 15, of things of any hue by
 * up to half the circle.
 */
const LEAN = 0.3;
const OWN_HUE = 0.13;
/** Middles lie up to this far from the picture's middle, so that objects may be cut by its border. */
const SPREAD = 0.4;
/** Distractors are smaller than objects, so that a scene is about its objects. */
const DISTRACTOR_EXTENTS = [0.12, 0.24] as const;
/** Of the distractors this part are sprites. At most so many lie behind the objects, and so many in front. */
const SPRITE_DISTRACTORS = 0.4;
const BEHIND_MAX = 3;
const IN_FRONT_MAX = 2;

/** How many objects a scene has, the cumulated probability of that, and the objects' least and largest side. */
const crowds = [
  { objects: 1, upTo: 0.2, extents: [0.5, 0.8] },
  { objects: 2, upTo: 0.5, extents: [0.42, 0.64] },
  { objects: 3, upTo: 0.8, extents: [0.35, 0.52] },
  { objects: 4, upTo: 1, extents: [0.3, 0.44] },
] as const;

export interface PlannedSprite {
  readonly kind: "sprite";
  readonly sprite: Sprite;
  readonly placement: Placement;
  /** The object's number, or NOBODY for a distractor. */
  readonly number: number;
}
export type PlannedThing = PlannedSprite | { readonly kind: "stroke"; readonly stroke: Stroke };

export interface Plan {
  /** From back to front. */
  readonly things: readonly PlannedThing[];
  /** The sprite of each object, by its number. */
  readonly objects: readonly PlannedSprite[];
}

/** Which object is seen in each cell, and how much of each object there is. */
interface Crowd {
  readonly owner: Int8Array;
  /** Cells each object covers, also outside the picture or behind others. */
  total: readonly number[];
  visible: readonly number[];
}

/** Cells a thing covers inside the picture. */
function cellsOf(thing: PlannedThing): readonly number[] {
  const cells: number[] = [];
  if (thing.kind === "stroke") {
    eachStrokePixel(thing.stroke, GRID, (cell, cover) => {
      if (cover >= HALF_COVERED) cells.push(cell);
    });
  } else {
    const level = levelFor(thing.sprite, GRID);
    eachPixel(thing.placement, GRID, (cell, u, v) => {
      if (alphaAt(level, u, v) >= SOLID) cells.push(cell);
    });
  }
  return cells;
}

const solidParts = new WeakMap<Sprite, number>();

/** The part of a sprite's square that is solid. */
export function solidPart(sprite: Sprite): number {
  const known = solidParts.get(sprite);
  if (known !== undefined) return known;
  const { side, data } = levelFor(sprite, GRID);
  let solid = 0;
  for (let i = 3; i < data.length; i += 4) if (data[i]! >= SOLID) solid++;
  solidParts.set(sprite, solid / (side * side));
  return solid / (side * side);
}

/** Puts a thing in front of all others if enough of every object stays visible; says whether it did. */
function putInFront(thing: PlannedThing, crowd: Crowd): boolean {
  const cells = cellsOf(thing);
  const visible = [...crowd.visible];
  for (const cell of cells) {
    const owner = crowd.owner[cell]!;
    if (owner !== NOBODY) visible[owner] = visible[owner]! - 1;
  }
  const total = [...crowd.total];
  const number = thing.kind === "sprite" ? thing.number : NOBODY;
  if (thing.kind === "sprite" && number !== NOBODY) {
    const extent = thing.placement.extent * GRID;
    total[number] = solidPart(thing.sprite) * extent * extent;
    visible[number] = cells.length;
  }
  if (visible.some((cellCount, i) => cellCount < PLANNED_SHARE * total[i]!)) return false;
  for (const cell of cells) crowd.owner[cell] = number;
  crowd.total = total;
  crowd.visible = visible;
  return true;
}

/** Where the light comes from and how strong it is, for all shadows of a scene. */
interface Light {
  readonly x: number;
  readonly y: number;
  readonly strength: number;
}

function place(random: Random, sprite: Sprite, extent: number, light: Light, spread: number): Placement {
  const anyHue = sprite.classIndex === null || classes[sprite.classIndex]?.anyHue === true;
  // Half of the things of any hue keep their own: it is drawn well.
  const hue = randomTurn(random, anyHue && random.chance(0.5) ? 1 : OWN_HUE);
  const opposite = anyHue && random.chance(0.2) ? -1 : 1;
  return {
    x: random.between(0.5 - spread, 0.5 + spread),
    y: random.between(0.5 - spread, 0.5 + spread),
    extent,
    turn: randomTurn(random, LEAN),
    mirrored: random.chance(0.5),
    colours: recolour(
      { cos: hue.cos * opposite, sin: hue.sin * opposite },
      random.between(0.75, 1.25),
      random.between(0.82, 1.14),
    ),
    shadow: { x: light.x * extent, y: light.y * extent, strength: light.strength },
  };
}

function pickCrowd(random: Random): (typeof crowds)[number] {
  const drawn = random.unit();
  // The last one's bound is 1, above every drawn number.
  return crowds.find(({ upTo }) => drawn < upTo)!;
}

/** A sprite of no class, or strokes. */
function distractor(random: Random, others: readonly Sprite[], light: Light): PlannedThing {
  if (!random.chance(SPRITE_DISTRACTORS)) {
    return { kind: "stroke", stroke: randomStroke(random, randomColour(random, 0.2, 0.85)) };
  }
  const sprite = random.pick(others);
  const placement = place(random, sprite, random.between(...DISTRACTOR_EXTENTS), light, SPREAD);
  return { kind: "sprite", sprite, placement, number: NOBODY };
}

/** A drawing of a class that is not taken yet: class first, so that one with many drawings is not more frequent. */
function pickObject(random: Random, usable: readonly Sprite[], taken: Set<number>): Sprite {
  let classIndex = random.below(classes.length);
  while (taken.has(classIndex)) classIndex = random.below(classes.length);
  taken.add(classIndex);
  const ofClass = usable.filter((sprite) => sprite.classIndex === classIndex);
  const { style } = random.pick(ofClass);
  return random.pick(ofClass.filter((sprite) => sprite.style === style));
}

/** Everything a scene shows but its background. */
export function planScene(random: Random, { styles, sprites }: Atlas, wanted: "seen" | "held-out"): Plan {
  const allowed = new Set(styles.filter(({ heldOut }) => heldOut === (wanted === "held-out")).map(({ name }) => name));
  const usable = sprites.filter(({ style }) => allowed.has(style));
  const others = usable.filter(({ classIndex }) => classIndex === null);
  const light = {
    x: random.between(-0.06, 0.06),
    y: random.between(0.02, 0.09),
    strength: random.between(0.15, 0.5),
  };
  const crowd: Crowd = { owner: new Int8Array(GRID * GRID).fill(NOBODY), total: [], visible: [] };
  const things: PlannedThing[] = [];
  for (let i = random.below(BEHIND_MAX + 1); i > 0; i--) things.push(distractor(random, others, light));

  const { objects: count, extents } = pickCrowd(random);
  const taken = new Set<number>();
  const objects: PlannedSprite[] = [];
  for (let k = 0; k < count; k++) {
    const sprite = pickObject(random, usable, taken);
    for (let attempt = 0; attempt < TRIES; attempt++) {
      // Later attempts are nearer to the middle, where the first object always has room.
      const spread = SPREAD * (1 - attempt / (TRIES - 1));
      const placement = place(random, sprite, random.between(extents[0], extents[1]), light, spread);
      const thing: PlannedSprite = { kind: "sprite", sprite, placement, number: objects.length };
      if (!putInFront(thing, crowd)) continue;
      things.push(thing);
      objects.push(thing);
      break;
    }
  }
  for (let i = random.below(IN_FRONT_MAX + 1); i > 0; i--) {
    const thing = distractor(random, others, light);
    if (putInFront(thing, crowd)) things.push(thing);
  }
  return { things, objects };
}
