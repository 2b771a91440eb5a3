/** @file Backlight's version, for bundles that have no package.json beside them. */
import manifest from "../package.json" with { type: "json" };

export const { version } = manifest;
