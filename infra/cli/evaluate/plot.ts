/** @file A figure as SVG: lines over depth with their intervals. Plain text, no library, looks the same everywhere. */
import type { Figure } from "./report.ts";

/** Okabe and Ito's colours, told apart by colour-blind readers too; black is the baseline's. */
const colours = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7f7f7f", "#8c564b"];
const markers = ["circle", "square", "diamond", "triangle"] as const;

const frame = { left: 76, top: 74, width: 560, height: 320, legend: 226 } as const;
/** Room for the layers' names, which stand aslant. */
const FOOT = 110;
/** Longer names are cut in their middle. */
const NAME_MAX = 26;

const xml = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
const n = (value: number): string => String(Math.round(value * 10) / 10);

function shortened(name: string): string {
  const half = (NAME_MAX - 1) / 2;
  return name.length <= NAME_MAX ? name : `${name.slice(0, Math.floor(half))}…${name.slice(-Math.ceil(half))}`;
}

interface Scale {
  readonly x: (index: number) => number;
  readonly y: (value: number) => number;
}

export function drawFigure(figure: Figure): string {
  const [low, high] = figure.range;
  const count = figure.layers.length;
  const scale: Scale = {
    x: (index) => frame.left + (count < 2 ? frame.width / 2 : 24 + (index * (frame.width - 48)) / (count - 1)),
    y: (value) => frame.top + (frame.height * (high - Math.min(high, Math.max(low, value)))) / (high - low),
  };
  const width = frame.left + frame.width + frame.legend;
  const height = frame.top + frame.height + FOOT;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" ` +
      `font-family="system-ui, sans-serif" font-size="12" fill="#222">`,
    `<rect width="${width}" height="${height}" fill="#fff"/>`,
    `<text x="${frame.left}" y="30" font-size="18" font-weight="600">${xml(figure.title)}</text>`,
    `<text x="${frame.left}" y="50" fill="#555">${xml(figure.subtitle)}</text>`,
    ...axes(figure, scale),
    ...(figure.level ? level(figure.level, scale) : []),
    ...figure.lines.flatMap((_, i) => lineOf(figure, i, scale)),
    ...legend(figure),
    "</svg>",
    "",
  ].join("\n");
}

/** Ticks at a step of 1, 2 or 5 times a power of ten, about six of them. */
function ticks([low, high]: Figure["range"]): readonly number[] {
  const raw = (high - low) / 6;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = power * ([1, 2, 5, 10].find((m) => m * power >= raw) ?? 10);
  const first = Math.ceil(low / step - 1e-9);
  return Array.from({ length: Math.floor(high / step + 1e-9) - first + 1 }, (_, i) => (first + i) * step);
}

function axes(figure: Figure, { x, y }: Scale): readonly string[] {
  const right = frame.left + frame.width;
  const bottom = frame.top + frame.height;
  const middle = frame.top + frame.height / 2;
  return [
    ...ticks(figure.range).flatMap((value) => [
      `<line x1="${frame.left}" x2="${right}" y1="${n(y(value))}" y2="${n(y(value))}" ` +
        `stroke="${Math.abs(value) < 1e-9 ? "#999" : "#e4e4e4"}"/>`,
      `<text x="${frame.left - 8}" y="${n(y(value) + 4)}" text-anchor="end">${Number(value.toFixed(6))}</text>`,
    ]),
    `<line x1="${frame.left}" x2="${right}" y1="${bottom}" y2="${bottom}" stroke="#222"/>`,
    `<text transform="translate(22 ${middle}) rotate(-90)" text-anchor="middle">${xml(figure.axis)}</text>`,
    ...figure.layers.flatMap((name, i) => [
      `<line x1="${n(x(i))}" x2="${n(x(i))}" y1="${bottom}" y2="${bottom + 5}" stroke="#222"/>`,
      `<text transform="translate(${n(x(i) + 4)} ${bottom + 18}) rotate(-28)" text-anchor="end">` +
        `<title>${xml(name)}</title>${xml(shortened(name))}</text>`,
    ]),
  ];
}

function level({ name, value }: NonNullable<Figure["level"]>, { y }: Scale): readonly string[] {
  const right = frame.left + frame.width;
  return [
    `<line x1="${frame.left}" x2="${right}" y1="${n(y(value))}" y2="${n(y(value))}" ${dashed}>` +
      `<title>${xml(name)} ${value.toFixed(3)}</title></line>`,
  ];
}

const dashed = 'stroke="#222" stroke-dasharray="5 4"';
const colourOf = (line: number): string => colours[line % colours.length] ?? "#222";

/** Intervals of several lines stand side by side, not on top of one another. */
function lineOf({ lines, layers, apart }: Figure, line: number, { x, y }: Scale): readonly string[] {
  const colour = colourOf(line);
  const shift = (line - (lines.length - 1) / 2) * 4;
  const placed = (lines[line]?.points ?? []).flatMap(({ value, interval }, i) =>
    value === null ? [] : [{ x: x(i) + shift, y: y(value), value, interval, joined: layers[i] !== apart }],
  );
  const path = placed.flatMap((p) => (p.joined ? [`${n(p.x)},${n(p.y)}`] : [])).join(" ");
  return [
    `<polyline points="${path}" fill="none" stroke="${colour}" stroke-width="2" stroke-linejoin="round"/>`,
    ...placed.flatMap((p) => [
      ...(p.interval === null
        ? []
        : [
            `<line x1="${n(p.x)}" x2="${n(p.x)}" y1="${n(y(p.interval.low))}" y2="${n(y(p.interval.high))}" ` +
              `stroke="${colour}" stroke-opacity="0.55" stroke-width="1.5"/>`,
          ]),
      marker(p.x, p.y, line, p.value.toFixed(3)),
    ]),
  ];
}

/** Lines differ by their marks too, for who prints in black. */
function marker(x: number, y: number, line: number, title: string): string {
  const colour = colourOf(line);
  const attributes = `fill="${colour}" stroke="#fff" stroke-width="1"`;
  const inside = `<title>${xml(title)}</title>`;
  const corners = (offsets: readonly (readonly [number, number])[]): string => {
    const points = offsets.map(([dx, dy]) => `${n(x + dx)},${n(y + dy)}`).join(" ");
    return `<polygon points="${points}" ${attributes}>${inside}</polygon>`;
  };
  switch (markers[line % markers.length]) {
    case "square":
      return corners([
        [-4, -4],
        [4, -4],
        [4, 4],
        [-4, 4],
      ]);
    case "diamond":
      return corners([
        [0, -5.5],
        [5.5, 0],
        [0, 5.5],
        [-5.5, 0],
      ]);
    case "triangle":
      return corners([
        [0, -5.5],
        [5, 4],
        [-5, 4],
      ]);
    default:
      return `<circle cx="${n(x)}" cy="${n(y)}" r="4.5" ${attributes}>${inside}</circle>`;
  }
}

function legend({ lines, level: across }: Figure): readonly string[] {
  const left = frame.left + frame.width + 24;
  const row = (i: number): number => frame.top + 14 + i * 22;
  const text = (i: number, name: string): string =>
    `<text x="${left + 32}" y="${row(i) + 4}">${xml(shortened(name))}</text>`;
  const stroke = (i: number, attributes: string): string =>
    `<line x1="${left}" x2="${left + 24}" y1="${row(i)}" y2="${row(i)}" ${attributes}/>`;
  return [
    ...lines.flatMap(({ name }, i) => [
      stroke(i, `stroke="${colourOf(i)}" stroke-width="2"`),
      marker(left + 12, row(i), i, name),
      text(i, name),
    ]),
    ...(across === undefined ? [] : [stroke(lines.length, dashed), text(lines.length, across.name)]),
  ];
}
