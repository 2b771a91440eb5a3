/** @file Which drawing of which icon set shows which class: designs a person would call by the class's name. */
import type { Style } from "../atlas.ts";

/** An icon set: the npm package under @iconify-json, and how far its names differ from those of Unicode. */
export interface IconSet extends Style {
  /** Other names for a design; null where the set has none, or draws something else under the name. */
  readonly own: Readonly<Record<string, string | null>>;
}

/**
 * Twemoji is held out: flat shapes in a palette of its own, every object drawn anew, while fluent-emoji and its flat
 * version, or the two generations of Noto, would each have a sibling among the seen styles.
 */
export const iconSets: readonly IconSet[] = [
  { name: "noto", heldOut: false, own: {} },
  { name: "noto-v1", heldOut: false, own: {} },
  { name: "emojione", heldOut: false, own: {} },
  { name: "fluent-emoji", heldOut: false, own: {} },
  { name: "fluent-emoji-flat", heldOut: false, own: {} },
  {
    name: "fxemoji",
    heldOut: false,
    own: {
      "cat-face": "cat",
      cat: "catside",
      "dog-face": "dog",
      dog: "dogside",
      "tropical-fish": "tropicalfish",
      "evergreen-tree": "evergreen",
      "deciduous-tree": "deciduoustree",
      "red-apple": "redapple",
      "green-apple": "greenapple",
      pizza: "sliceofpizza",
      "oncoming-automobile": "oncomingautomobile",
      umbrella: "umbrellawithraindrops", // "umbrella" is a closed one
      "soccer-ball": "soccerball",
      "alarm-clock": "alarmclock",
      "three-oclock": "clock3oclock",
      "old-key": null, // with a giraffe's head
      scissors: "blackscissors",
      house: null, // among trees
      sailboat: null, // with sea and sky in a square
      "red-heart": "redheart",
      "light-bulb": "lightbulb",
      "wrapped-gift": "present",
    },
  },
  {
    name: "streamline-emojis",
    heldOut: false,
    own: {
      guitar: null, // among notes
      pizza: "pizza-1",
      sunflower: "sunflower-1",
      rocket: null, // among planets
      "red-heart": "heart-suit",
      "wrapped-gift": "wrapped-gift-1",
      star: null,
    },
  },
  { name: "twemoji", heldOut: true, own: {} },
];

/** Class name to designs, by their Unicode names. A set need not have every design, but some set has each. */
export const classDesigns: Readonly<Record<string, readonly string[]>> = {
  cat: ["cat-face", "cat"],
  dog: ["dog-face", "dog"],
  elephant: ["elephant"],
  penguin: ["penguin"],
  fish: ["fish", "tropical-fish"],
  butterfly: ["butterfly"],
  tree: ["evergreen-tree", "deciduous-tree"],
  flower: ["sunflower", "tulip", "hibiscus", "blossom"],
  mushroom: ["mushroom"],
  banana: ["banana"],
  apple: ["red-apple", "green-apple"],
  pizza: ["pizza"],
  car: ["automobile", "oncoming-automobile", "sport-utility-vehicle"],
  bicycle: ["bicycle"],
  airplane: ["airplane", "small-airplane"],
  sailboat: ["sailboat"],
  umbrella: ["umbrella"],
  guitar: ["guitar"],
  "soccer ball": ["soccer-ball"],
  clock: ["alarm-clock", "three-oclock"],
  key: ["key", "old-key"],
  scissors: ["scissors"],
  house: ["house"],
  balloon: ["balloon"],
};

/** Things in no class. */
export const distractorDesigns: readonly string[] = [
  "star",
  "red-heart",
  "cloud",
  "wrapped-gift",
  "light-bulb",
  "bell",
  "hamburger",
  "rocket",
  "crown",
  "pencil",
  "camera",
  "cookie",
  "books",
  "doughnut",
];
