/** @file Names as parts of file names. Imports nothing. */

/** A name as part of a file name: what is not a letter, digit, dot, dash or underscore becomes a dash. */
export const slug = (name: string): string =>
  name
    .normalize("NFC")
    .replace(/[^\p{L}\p{N}._-]+/gu, "-")
    .replace(/^[-.]+|[-.]+$/g, "");
