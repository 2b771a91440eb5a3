/** @file Which file of a result a request wants: from `view`, `format` and `Accept`. Pure. */
import { AppError } from "../../shared/errors.ts";
import { type View, views } from "../../shared/explanation/picture.ts";
import type { Artefact } from "../../shared/pipeline/results.ts";

/** What can be answered, best first where the client has no preference. */
const offers = [
  ["image/png", "png"],
  ["image/webp", "webp"],
  ["image/jpeg", "jpeg"],
  ["application/json", "json"],
  ["application/x-npy", "npy"],
] as const;

export type Format = (typeof offers)[number][1];

/** A client that accepts everything gets a picture: most of these are browsers and curl. */
const formats: readonly Format[] = offers.map(([, format]) => format);

/**
 * @param view `overlay` (default), `heatmap` or `map`
 * @param format overrides the header, for links
 * @throws AppError `request-invalid` for a combination there is not
 */
export function wanted(view: string | undefined, format: string | undefined, accept: string | undefined): Artefact {
  if (view === "map") return { kind: "map" };
  const picture = readView(view);
  const chosen = format === undefined ? accepted(accept) : readFormat(format);
  if (chosen === "json") return { kind: "document" };
  if (chosen === "npy") return { kind: "map" };
  return { kind: "picture", view: picture, format: chosen };
}

function readView(text: string | undefined): View {
  if (text === undefined) return "overlay";
  const view = views.find((v) => v === text);
  if (view !== undefined) return view;
  throw new AppError("request-invalid", `view takes ${[...views, "map"].join(", ")}, not "${text}"`, { name: "view" });
}

function readFormat(text: string): Format {
  const format = formats.find((f) => f === text);
  if (format !== undefined) return format;
  throw new AppError("request-invalid", `format takes ${formats.join(", ")}, not "${text}"`, { name: "format" });
}

/** The offer the header weighs most (RFC 9110, 12.5.1); the most specific range decides an offer's weight. */
function accepted(header: string | undefined): Format {
  if (header === undefined || header.trim() === "") return "png";
  const ranges = header.split(",").map((part) => {
    const [type = "", ...parameters] = part.split(";").map((p) => p.trim().toLowerCase());
    const q = parameters.find((p) => p.startsWith("q="))?.slice(2);
    return { type, weight: q === undefined ? 1 : Number(q) || 0 };
  });
  const weigh = (offer: string): number => {
    const [family] = offer.split("/");
    const range = [offer, `${family}/*`, "*/*"].map((name) => ranges.find(({ type }) => type === name)).find(Boolean);
    return range?.weight ?? 0;
  };
  const best = offers.reduce((a, b) => (weigh(b[0]) > weigh(a[0]) ? b : a));
  if (weigh(best[0]) > 0) return best[1];
  throw new AppError(
    "request-invalid",
    `nothing in Accept: ${header} can be answered; there are ${offers.map(([type]) => type).join(", ")}`,
    { name: "accept" },
  );
}
