/** @file What kind of file some bytes are, by the first of them: the three formats we read, names for the others. */

/** The formats that are decoded. */
export type ImageFormat = "jpeg" | "png" | "webp";

const text = (bytes: Uint8Array, from: number, to: number): string =>
  String.fromCharCode(...bytes.subarray(from, Math.min(to, bytes.length)));

const startsWith = (bytes: Uint8Array, ...prefix: readonly number[]): boolean =>
  bytes.length >= prefix.length && prefix.every((byte, i) => bytes[i] === byte);

/** The format of the bytes if it is one we decode. */
export function sniffFormat(bytes: Uint8Array): ImageFormat | null {
  if (startsWith(bytes, 0xff, 0xd8)) return "jpeg";
  if (startsWith(bytes, 0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a)) return "png";
  if (text(bytes, 0, 4) === "RIFF" && text(bytes, 8, 12) === "WEBP") return "webp";
  return null;
}

/** Brands of the ISO base media file format that are pictures. */
function isoBrand(brand: string): string {
  if (brand.startsWith("avi")) return "an AVIF";
  if (/^(hei|hev|mif1|msf1)/.test(brand)) return "a HEIF";
  return "a video or another ISO media file";
}

/** Text formats, looked for behind byte order mark, blanks and an XML declaration. */
function textFormat(bytes: Uint8Array): string | null {
  const start = text(bytes, 0, 1024)
    .replace(/^\u00ef\u00bb\u00bf/, "")
    .trimStart()
    .toLowerCase();
  if (start.startsWith("%pdf")) return "a PDF";
  if (start.startsWith("<svg") || (start.startsWith("<?xml") && start.includes("<svg"))) return "an SVG";
  if (start.startsWith("<!doctype svg")) return "an SVG";
  if (start.startsWith("<!doctype html") || start.startsWith("<html")) return "an HTML page";
  if (start.startsWith("<?xml")) return "an XML document";
  if (/^[{[]\s*["{[\]}\d]/.test(start)) return "a JSON text";
  return null;
}

/** Names what the bytes are, with its article: "a GIF", "an HTML page"; "not a known image format" if nothing fits. */
export function describeFormat(bytes: Uint8Array): string {
  if (bytes.length === 0) return "empty";
  const four = text(bytes, 0, 4);
  if (four === "GIF8") return "a GIF";
  if (text(bytes, 4, 8) === "ftyp") return isoBrand(text(bytes, 8, 12));
  if (startsWith(bytes, 0x49, 0x49, 0x2a, 0) || startsWith(bytes, 0x4d, 0x4d, 0, 0x2a)) return "a TIFF";
  if (startsWith(bytes, 0x49, 0x49, 0x2b, 0) || startsWith(bytes, 0x4d, 0x4d, 0, 0x2b)) return "a TIFF";
  if (startsWith(bytes, 0, 0, 1, 0)) return "an ICO";
  if (startsWith(bytes, 0, 0, 0, 12, 0x6a, 0x50) || startsWith(bytes, 0xff, 0x4f, 0xff, 0x51)) return "a JPEG 2000";
  if (startsWith(bytes, 0, 0, 0, 12, 0x4a, 0x58) || startsWith(bytes, 0xff, 0x0a)) return "a JPEG XL";
  if (four.startsWith("BM")) return "a BMP";
  if (four === "8BPS") return "a Photoshop file";
  if (startsWith(bytes, 0x50, 0x4b, 3, 4)) return "a ZIP archive";
  if (startsWith(bytes, 0x1f, 0x8b)) return "gzip data";
  if (startsWith(bytes, 0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59)) return "a NumPy array";
  return textFormat(bytes) ?? "not a known image format";
}
