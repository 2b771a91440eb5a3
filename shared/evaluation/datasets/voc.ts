/**
 * @file PASCAL VOC's annotation files. A strict reader of what these hold: elements, text, the five entities, comments
 * and a declaration; anything else that XML knows (attributes, CDATA, document types) is refused, not guessed at.
 */
import type { Rectangle } from "../../imaging/geometry.ts";
import { type AnnotatedImage, type AnnotatedObject, unreadableAnnotation } from "./annotation.ts";

interface Element {
  readonly name: string;
  readonly children: Element[];
  text: string;
}

/** Deeper than any annotation is; a guard for hostile files. */
const DEPTH_MAX = 16;

/** One image's objects. Boxes are 1-based and inclusive in the file. Throws `dataset-invalid`. */
export function parseVoc(text: string, document: string): AnnotatedImage {
  const root = parseElements(text, document);
  if (root.name !== "annotation") throw unreadableAnnotation(document, `it is a <${root.name}>, not an <annotation>`);
  const size = child(root, "size");
  const pixels = (name: string): number => (size === undefined ? 0 : numberOf(size, name, document));
  const [width, height] = [pixels("width"), pixels("height")];
  return {
    file: textOf(root, "filename", document),
    size: width > 0 && height > 0 ? { width, height } : null,
    objects: root.children.filter((c) => c.name === "object").map((object) => objectOf(object, document)),
  };
}

function objectOf(object: Element, document: string): AnnotatedObject {
  const bounds = child(object, "bndbox");
  if (bounds === undefined) throw unreadableAnnotation(document, "an <object> has no <bndbox>");
  const box: Rectangle = {
    left: numberOf(bounds, "xmin", document) - 1,
    top: numberOf(bounds, "ymin", document) - 1,
    right: numberOf(bounds, "xmax", document),
    bottom: numberOf(bounds, "ymax", document),
  };
  if (box.right <= box.left || box.bottom <= box.top) throw unreadableAnnotation(document, "a <bndbox> is empty");
  return {
    class: textOf(object, "name", document),
    outline: { kind: "box", box },
    box,
    normalised: false,
    difficult: child(object, "difficult")?.text.trim() === "1",
  };
}

const child = (element: Element, name: string): Element | undefined => element.children.find((c) => c.name === name);

function textOf(element: Element, name: string, document: string): string {
  const text = child(element, name)?.text.trim();
  if (text === undefined || text === "") {
    throw unreadableAnnotation(document, `<${element.name}> has no <${name}>`);
  }
  return text;
}

function numberOf(element: Element, name: string, document: string): number {
  const text = textOf(element, name, document);
  const value = Number(text);
  if (!Number.isFinite(value)) throw unreadableAnnotation(document, `<${name}> is "${text}", not a number`);
  return value;
}

/** A tag, a comment, a declaration, or text up to the next of these. */
const token = /<!--[\s\S]*?-->|<\?[\s\S]*?\?>|<(\/?)([A-Za-z_][\w.-]*)\s*(\/?)>|([^<]+)/y;
const entities: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };

function parseElements(text: string, document: string): Element {
  const top: Element = { name: "", children: [], text: "" };
  const open: Element[] = [top];
  token.lastIndex = 0;
  const source = text.replace(/^\uFEFF/, "");
  for (let at = 0; at < source.length; at = token.lastIndex) {
    token.lastIndex = at;
    const match = token.exec(source);
    const current = open.at(-1) ?? top;
    if (match === null) {
      const line = source.slice(0, at).split("\n").length;
      throw unreadableAnnotation(document, `line ${line} is no XML that an annotation has`);
    }
    const [, closing, name, empty, words] = match;
    if (words !== undefined) current.text += words.replace(/&(\w+);/g, (whole, key: string) => entities[key] ?? whole);
    if (name === undefined) continue;
    if (closing === "/") {
      if (open.length < 2 || current.name !== name) {
        throw unreadableAnnotation(document, `</${name}> closes <${current.name || "nothing"}>`);
      }
      open.pop();
      continue;
    }
    const element: Element = { name, children: [], text: "" };
    current.children.push(element);
    if (empty !== "/") open.push(element);
    if (open.length > DEPTH_MAX) throw unreadableAnnotation(document, "its elements are nested too deeply");
  }
  const [root] = top.children;
  if (open.length > 1) throw unreadableAnnotation(document, `<${open.at(-1)?.name}> is not closed: it is cut off`);
  if (root === undefined) throw unreadableAnnotation(document, "it is empty");
  return root;
}
