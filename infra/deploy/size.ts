/** @file Whether the bundle may be uploaded: its size against the platform's limits and our own. */
import { type Bundle, compressedBytes } from "../stack/bundle.ts";

const MEBI = 2 ** 20;

/** A Worker may have 64 MiB uncompressed. */
export const RAW_BYTES_MAX = 64 * MEBI;

/** Ours: what is fetched and compiled before the first request. Accounts older than mid 2026 are refused at 10 MiB. */
export const COMPRESSED_BYTES_MAX = 5_000_000;

export interface BundleSize {
  readonly rawBytes: number;
  readonly compressedBytes: number;
}

export const bundleSize = (bundle: Bundle): BundleSize => ({
  rawBytes: bundle.modules.reduce((sum, { bytes }) => sum + bytes.length, 0),
  compressedBytes: compressedBytes(bundle),
});

/** What is wrong with the size; undefined where nothing is. */
export function sizeProblem({ rawBytes, compressedBytes: compressed }: BundleSize): string | undefined {
  const tooLarge = (what: string, bytes: number, max: number): string | undefined =>
    bytes <= max ? undefined : `the Worker is too large: ${bytes} bytes ${what}, at most ${max}`;
  return tooLarge("uncompressed", rawBytes, RAW_BYTES_MAX) ?? tooLarge("compressed", compressed, COMPRESSED_BYTES_MAX);
}

const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(2);

/** `4.39 MB compressed (of 5.00), 16.24 MB uncompressed (of 67.11)`. */
export const sizeText = ({ rawBytes, compressedBytes: compressed }: BundleSize): string =>
  `${megabytes(compressed)} MB compressed (of ${megabytes(COMPRESSED_BYTES_MAX)}), ` +
  `${megabytes(rawBytes)} MB uncompressed (of ${megabytes(RAW_BYTES_MAX)})`;
