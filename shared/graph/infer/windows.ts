/** @file Rows of operators that slide a window: convolutions, poolings and their inverses. */
import { getInt, getInts, getString } from "../attributes.ts";
import { add, ceilDiv, conflict, floorDiv, mul, product, sub } from "../dims.ts";
import type { Dim, Node, Shape } from "../ir.ts";
import {
  each,
  expectOneType,
  expectRank,
  expectVector,
  input,
  malformed,
  named,
  numbersOf,
  optional,
  type Row,
  type Table,
  type Typed,
  type TypedNode,
  tensor,
} from "./row.ts";

/** A window along one spatial axis. */
interface Window {
  readonly kernel: number;
  readonly stride: number;
  readonly dilation: number;
  readonly begin: number;
  readonly end: number;
}

/** The attributes of all sliding windows, checked, one entry a spatial axis. Automatic pads are left to the caller. */
function windowsOf(node: Node, kernel: readonly number[]): readonly Window[] {
  const rank = kernel.length;
  const list = (name: string, otherwise: number, length = rank): readonly number[] => {
    const found = getInts(node, name) ?? Array.from({ length }, () => otherwise);
    if (found.length !== length) {
      throw malformed(node, `attribute "${name}" has ${found.length} entries for ${rank} spatial axes`);
    }
    return found;
  };
  const strides = list("strides", 1);
  const dilations = list("dilations", 1);
  const explicit = getString(node, "auto_pad", "NOTSET") === "NOTSET";
  const pads = explicit ? list("pads", 0, 2 * rank) : new Array<number>(2 * rank).fill(0);
  return kernel.map((extent, i) => {
    const window = {
      kernel: extent,
      stride: strides[i] ?? 1,
      dilation: dilations[i] ?? 1,
      begin: pads[i] ?? 0,
      end: pads[i + rank] ?? 0,
    };
    if (window.kernel < 1 || window.stride < 1 || window.dilation < 1) {
      throw malformed(
        node,
        `kernel ${window.kernel}, stride ${window.stride} and dilation ${window.dilation} must be positive`,
      );
    }
    return window;
  });
}

const reach = ({ kernel, dilation }: Window): number => (kernel - 1) * dilation + 1;

const isSame = (node: Node): boolean => getString(node, "auto_pad", "NOTSET").startsWith("SAME");

/** How many windows fit along one axis. */
function slide(node: Node, window: Window, extent: Dim, ceil: boolean): Dim {
  if (isSame(node)) return ceilDiv(extent, window.stride);
  const { stride, begin, end } = window;
  // ceil_mode: the last window may run over the end, but it must start inside the input or its left padding, so
  // min(ceil((in + begin + end - reach) / stride) + 1, ceil((in + begin) / stride)) windows, here as one division.
  const count = ceil
    ? ceilDiv(add(extent, begin + Math.min(0, end - reach(window) + stride)), stride)
    : add(floorDiv(add(extent, begin + end - reach(window)), stride), 1);
  if (typeof count === "number" && typeof extent === "number" && count < 1) {
    const padded = extent + begin + end;
    throw malformed(node, `the kernel reaches over ${reach(window)} elements, the padded input has ${padded}`);
  }
  return count;
}

const slideAll = (node: Node, windows: readonly Window[], spatial: Shape): Shape =>
  windows.map((w, i) => slide(node, w, spatial[i] ?? 1, getInt(node, "ceil_mode", 0) === 1));

/** The spatial extents of a weight, which must be numbers for anything to be said. */
function kernelOf(node: Node, x: Typed, w: Typed): readonly number[] | undefined {
  expectRank(node, x, 3, Number.POSITIVE_INFINITY);
  if (w.type.shape.length !== x.type.shape.length) {
    throw malformed(node, `the input ${named(x)} and the kernel ${named(w)} have different ranks`);
  }
  const spatial = w.type.shape.slice(2);
  const declared = getInts(node, "kernel_shape");
  if (declared && (declared.length !== spatial.length || declared.some((k, i) => conflict(k, spatial[i])))) {
    throw malformed(node, `kernel_shape [${declared.join(",")}] is not that of the kernel ${named(w)}`);
  }
  const kernel = declared ?? spatial;
  return kernel.every((k) => typeof k === "number") ? kernel : undefined;
}

const convolution =
  (dtype?: "int32"): Row =>
  (node) => {
    const [x, w] = [input(node, 0), input(node, 1)];
    const kernel = kernelOf(node, x, w);
    const group = getInt(node, "group", 1);
    const [n = 1, channels = 1, ...spatial] = x.type.shape;
    const [filters = 1, depth = 1] = w.type.shape;
    if (conflict(channels, mul(depth, group))) {
      const grouped = group === 1 ? "" : ` in ${group} groups of ${depth}`;
      throw malformed(
        node,
        `the input "${x.name}" has ${channels} channels, the kernel "${w.name}" takes ${mul(depth, group)}${grouped}`,
      );
    }
    if (typeof filters === "number" && filters % group !== 0) {
      throw malformed(node, `the kernel ${named(w)} has ${filters} filters, which ${group} groups cannot share`);
    }
    if (dtype === undefined) {
      expectOneType(node, [x, w]);
      expectVector(node, 2, filters);
    }
    return kernel && [tensor(dtype ?? x.type.dtype, [n, filters, ...slideAll(node, windowsOf(node, kernel), spatial)])];
  };

const convTranspose: Row = (node) => {
  const [x, w] = [input(node, 0), input(node, 1)];
  const kernel = kernelOf(node, x, w);
  const [n = 1, channels = 1, ...spatial] = x.type.shape;
  const [depth = 1, perGroup = 1] = w.type.shape;
  if (conflict(channels, depth)) {
    throw malformed(node, `the input "${x.name}" has ${channels} channels, the kernel "${w.name}" takes ${depth}`);
  }
  expectOneType(node, [x, w]);
  const filters = mul(perGroup, getInt(node, "group", 1));
  expectVector(node, 2, filters);
  if (kernel === undefined) return undefined;
  const extra = getInts(node, "output_padding");
  const wanted = getInts(node, "output_shape");
  const extents = windowsOf(node, kernel).map((window, i): Dim => {
    const extent = spatial[i] ?? 1;
    if (wanted) return wanted.at(i - kernel.length) ?? 1; // some files list N and C too
    if (isSame(node)) return mul(extent, window.stride);
    const grown = mul(sub(extent, 1), window.stride);
    return add(grown, (extra?.[i] ?? 0) + reach(window) - window.begin - window.end);
  });
  return [tensor(x.type.dtype, [n, filters, ...extents])];
};

function pooled(node: TypedNode): Shape {
  const x = input(node, 0);
  expectRank(node, x, 3, Number.POSITIVE_INFINITY);
  const [n = 1, channels = 1, ...spatial] = x.type.shape;
  const kernel = getInts(node, "kernel_shape");
  if (kernel === undefined) throw malformed(node, `attribute "kernel_shape" is missing`);
  if (kernel.length !== spatial.length) {
    throw malformed(node, `kernel_shape [${kernel.join(",")}] does not fit the input ${named(x)}`);
  }
  return [n, channels, ...slideAll(node, windowsOf(node, kernel), spatial)];
}

const pool: Row = (node) => [tensor(input(node, 0).type.dtype, pooled(node))];

const globalPool: Row = (node) => {
  const { dtype, shape } = input(node, 0).type;
  expectRank(node, input(node, 0), 2, Number.POSITIVE_INFINITY);
  return [
    tensor(
      dtype,
      shape.map((d, i) => (i < 2 ? d : 1)),
    ),
  ];
};

const maxUnpool: Row = (node) => {
  const x = input(node, 0);
  const { dtype, shape } = x.type;
  if (optional(node, 2)) {
    const wanted = numbersOf(node, 2);
    return wanted && [tensor(dtype, wanted)];
  }
  const windows = windowsOf(node, getInts(node, "kernel_shape") ?? []);
  const extents = windows.map((w, i) => add(mul(sub(shape[i + 2] ?? 1, 1), w.stride), w.kernel - w.begin - w.end));
  return [tensor(dtype, [...shape.slice(0, 2), ...extents])];
};

/** The inverse of taking patches: [N, C * kernel, patches] -> [N, C, image]. */
const col2Im: Row = (node) => {
  const x = input(node, 0);
  expectRank(node, x, 3);
  const [image, block] = [numbersOf(node, 1), numbersOf(node, 2)];
  if (image === undefined || block === undefined) return undefined;
  const [n = 1, rows = 1, columns = 1] = x.type.shape;
  const patches = product(slideAll(node, windowsOf(node, block), image));
  if (conflict(columns, patches)) {
    throw malformed(node, `the input ${named(x)} has ${columns} columns, an image of [${image.join(",")}] ${patches}`);
  }
  return [tensor(x.type.dtype, [n, floorDiv(rows, product(block)), ...image])];
};

const roiPool =
  (extents: (node: Node) => readonly number[]): Row =>
  (node) => {
    const [x, rois] = [input(node, 0), input(node, 1)];
    return [tensor(x.type.dtype, [rois.type.shape[0] ?? 1, x.type.shape[1] ?? 1, ...extents(node)])];
  };

export const windows: Table = {
  Conv: convolution(),
  ConvInteger: convolution("int32"),
  ConvTranspose: convTranspose,
  ...each(["AveragePool", "LpPool"], pool),
  MaxPool: (node) => {
    const shape = pooled(node);
    return [tensor(input(node, 0).type.dtype, shape), tensor("int64", shape)];
  },
  ...each(["GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool"], globalPool),
  MaxUnpool: maxUnpool,
  Col2Im: col2Im,
  MaxRoiPool: roiPool((node) => getInts(node, "pooled_shape") ?? [1, 1]),
  RoiAlign: roiPool((node) => [getInt(node, "output_height", 1), getInt(node, "output_width", 1)]),
};
