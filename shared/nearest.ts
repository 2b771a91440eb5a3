/** @file Which of the existing names somebody may have meant: for error messages. */

/** Longer names are compared by this many of their last characters, where tensor names differ. */
const comparedMax = 48;

/** The existing names closest to `name` by edit distance (case aside), best first; only those that are close at all. */
export function nearest(name: string, existing: Iterable<string>, count = 3): readonly string[] {
  const wanted = normalize(name);
  const limit = Math.max(2, Math.floor(wanted.length / 2));
  const scored: { readonly name: string; readonly distance: number }[] = [];
  for (const candidate of new Set(existing)) {
    const other = normalize(candidate);
    if (Math.abs(other.length - wanted.length) > limit) continue;
    const distance = editDistance(wanted, other);
    if (distance <= limit) scored.push({ name: candidate, distance });
  }
  return scored
    .sort((a, b) => a.distance - b.distance)
    .slice(0, count)
    .map((s) => s.name);
}

/** `; the nearest names are "a", "b"`, or nothing where no name is near. */
export function suggest(name: string, existing: Iterable<string>): string {
  const names = nearest(name, existing).map((n) => `"${n}"`);
  if (names.length === 0) return "";
  return names.length === 1 ? `; the nearest name is ${names[0]}` : `; the nearest names are ${names.join(", ")}`;
}

const normalize = (name: string): string => name.toLowerCase().slice(-comparedMax);

/** Levenshtein distance, one row of the table at a time. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = at(row, j - 1) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(substitution, at(row, j) + 1, at(next, j - 1) + 1));
    }
    row = next;
  }
  return at(row, b.length);
}

const at = (row: readonly number[], index: number): number => row[index] ?? 0;
