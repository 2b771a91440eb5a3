/** @file The one thing we need of EXIF: the orientation. Knows no container; each hands over its TIFF block. */

/**
 * How stored pixels become the upright photo (EXIF 2.32, tag 0x0112): 1 as stored, 2 mirrored, 3 half turn, 4 flipped,
 * 5 transposed, 6 quarter turn clockwise, 7 transversed, 8 quarter turn anticlockwise.
 */
export type Orientation = 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8;

const ORIENTATION_TAG = 0x0112;
const ENTRY_BYTES = 12;
const TYPE_SHORT = 3;
const TYPE_LONG = 4;

/** Orientations 5 to 8 swap rows and columns. */
export function swapsAxes(orientation: Orientation): boolean {
  return orientation >= 5;
}

function asOrientation(value: number): Orientation {
  switch (value) {
    case 2:
    case 3:
    case 4:
    case 5:
    case 6:
    case 7:
    case 8:
      return value;
    default:
      return 1;
  }
}

/**
 * Reads the orientation from a TIFF block (with or without the `Exif\0\0` prefix). A damaged block, an absent tag and
 * an invalid value are all 1: metadata never makes a readable photo unreadable.
 */
export function readOrientation(block: Uint8Array): Orientation {
  const prefixed = block[0] === 0x45 && block[1] === 0x78 && block[2] === 0x69 && block[3] === 0x66;
  const tiff = prefixed ? block.subarray(6) : block;
  if (tiff.length < 8) return 1;
  const view = new DataView(tiff.buffer, tiff.byteOffset, tiff.byteLength);
  const order = view.getUint16(0);
  if (order !== 0x4949 && order !== 0x4d4d) return 1;
  const little = order === 0x4949;
  const directory = view.getUint32(4, little);
  if (directory + 2 > tiff.length) return 1;
  const entries = view.getUint16(directory, little);
  for (let i = 0; i < entries; i++) {
    const at = directory + 2 + i * ENTRY_BYTES;
    if (at + ENTRY_BYTES > tiff.length) return 1;
    if (view.getUint16(at, little) !== ORIENTATION_TAG) continue;
    const type = view.getUint16(at + 2, little);
    if (type === TYPE_SHORT) return asOrientation(view.getUint16(at + 8, little));
    if (type === TYPE_LONG) return asOrientation(view.getUint32(at + 8, little));
    return 1;
  }
  return 1;
}
