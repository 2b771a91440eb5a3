/** @file The classes of the demo: what they are called, in the order of the classifier's outputs. Knows no picture. */

/** A class: its name in words, and the emoji that stands for it in tables. */
export interface DemoClass {
  readonly name: string;
  readonly emoji: string;
  /** A thing that is made or bred in every colour: its hue says nothing of what it is. */
  readonly anyHue?: true;
}

/** The order is the order of the model's logits: a new class goes to the end, and needs a new model. */
export const classes: readonly DemoClass[] = [
  { name: "cat", emoji: "🐱" },
  { name: "dog", emoji: "🐶" },
  { name: "elephant", emoji: "🐘" },
  { name: "penguin", emoji: "🐧" },
  { name: "fish", emoji: "🐟", anyHue: true },
  { name: "butterfly", emoji: "🦋", anyHue: true },
  { name: "tree", emoji: "🌳" },
  { name: "flower", emoji: "🌷", anyHue: true },
  { name: "mushroom", emoji: "🍄" },
  { name: "banana", emoji: "🍌" },
  { name: "apple", emoji: "🍎" },
  { name: "pizza", emoji: "🍕" },
  { name: "car", emoji: "🚗", anyHue: true },
  { name: "bicycle", emoji: "🚲", anyHue: true },
  { name: "airplane", emoji: "✈️", anyHue: true },
  { name: "sailboat", emoji: "⛵", anyHue: true },
  { name: "umbrella", emoji: "☂️", anyHue: true },
  { name: "guitar", emoji: "🎸", anyHue: true },
  { name: "soccer ball", emoji: "⚽" },
  { name: "clock", emoji: "⏰", anyHue: true },
  { name: "key", emoji: "🔑" },
  { name: "scissors", emoji: "✂️", anyHue: true },
  { name: "house", emoji: "🏠", anyHue: true },
  { name: "balloon", emoji: "🎈", anyHue: true },
];
