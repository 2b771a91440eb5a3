/** @file IEEE 754 half precision, which JavaScript of Node 20 has no array for: numbers to 16 bits and back. */

const scratch = new DataView(new ArrayBuffer(4));

/**
 * Rounds a number to the nearest half, ties to even, and gives its bits. The number is rounded from double in one step:
 * going through float32 would round twice.
 */
export function floatToHalf(value: number): number {
  if (Number.isNaN(value)) return 0x7e00;
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const magnitude = Math.abs(value);
  // 65520 lies half way between the largest half, 65504, and the next power's 65536: it rounds to infinity.
  if (magnitude >= 65520) return sign | 0x7c00;
  if (magnitude < 2 ** -14) return sign | roundEven(magnitude * 2 ** 24);
  const exponent = Math.min(15, exponentOf(magnitude));
  const fraction = roundEven((magnitude / 2 ** exponent - 1) * 1024);
  // A fraction that rounded up to 1024 carries into the exponent, as it should.
  return sign | (((exponent + 15) << 10) + fraction);
}

/** The value of a half. */
export function halfToFloat(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** floor(log2(value)) of a number in float32's normal range, exactly. */
function exponentOf(value: number): number {
  scratch.setFloat32(0, value);
  const exponent = ((scratch.getUint32(0) >>> 23) & 0xff) - 127;
  // float32 may have rounded up to the next power of two.
  return 2 ** exponent > value ? exponent - 1 : exponent;
}

function roundEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest > 0.5 || (rest === 0.5 && floor % 2 === 1)) return floor + 1;
  return floor;
}
