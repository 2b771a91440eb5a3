/**
 * @file Keys as paths and back: `images/cat.jpg` is the file `images/cat.jpg`. What no file name can hold is written as
 * `%` and two hex digits, so that a path never leaves the root and two keys never share a file.
 */

/** The store's own folder: no key is written like this, for `%` stands before hex digits only. */
export const ownFolder = ".%store";

/** File systems take names of 255 bytes; longer segments go on in a folder of the mark's name. */
const pieceBytesMax = 200;
const goesOn = "%+";

/** Written as bytes: the escape itself, and what other systems' paths give a meaning to, so that a tree can move. */
const special = /[%<>:"\\|?*]/g;

/** A file system that folds case, and perhaps accents, sees names as one that differ in them: such letters, too. */
const folded = /[%<>:"\\|?*A-Z]|[^\0-\x7f]/gu;

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true });

const escaped = (text: string): string =>
  Array.from(encoder.encode(text), (byte) => `%${byte.toString(16).padStart(2, "0")}`).join("");

/** The path of a key, relative to the root, by names; `foldsCase` is whether the file system takes `A` for `a`. */
export function pathOf(key: string, foldsCase: boolean): readonly string[] {
  return key.split("/").flatMap((segment) => pieces(segment.replace(foldsCase ? folded : special, escaped)));
}

/** Names that need no cutting, as nearly all: a listing asks for each. */
const short = new RegExp(`^[\\0-\\x7f]{1,${pieceBytesMax}}$`);

/** A name cut to what a file name may have, never inside a character or an escape. */
function pieces(name: string): readonly string[] {
  if (short.test(name)) return [name];
  const done: string[] = [];
  let piece = "";
  let bytes = 0;
  for (const unit of name.match(/%[0-9a-f]{2}|./gsu) ?? []) {
    const more = encoder.encode(unit).length;
    if (bytes + more > pieceBytesMax) {
      done.push(piece + goesOn);
      [piece, bytes] = ["", 0];
    }
    piece += unit;
    bytes += more;
  }
  return [...done, piece];
}

/** Whether a name is that of a folder in which a long segment goes on. */
export const isPiece = (name: string): boolean => name.endsWith(goesOn);

/** The segment that lies under these names, or null where the store would not have written it so. */
export function segmentOf(names: readonly string[], foldsCase: boolean): string | null {
  const written = names.map((name) => (isPiece(name) ? name.slice(0, -goesOn.length) : name)).join("");
  const segment = unescaped(written);
  if (segment === null || segment === "" || segment === "." || segment === "..") return null;
  const again = pathOf(segment, foldsCase);
  return again.length === names.length && again.every((name, i) => name === names[i]) ? segment : null;
}

function unescaped(text: string): string | null {
  try {
    return text.replace(/(%[0-9a-f]{2})+/g, (run) =>
      decoder.decode(Uint8Array.from(run.slice(1).split("%"), (byte) => Number.parseInt(byte, 16))),
    );
  } catch {
    return null;
  }
}
