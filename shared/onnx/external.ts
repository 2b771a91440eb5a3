/** @file Weights that lie in a file beside the model (TensorProto.external_data). Reads no file itself. */
import { AppError } from "../errors.ts";
import { decodeModel } from "./decode-model.ts";
import type { TensorProto } from "./schema.ts";

/** TensorProto.DataLocation.EXTERNAL. */
const externalLocation = 1n;

/** Gives the bytes of a file by its location, a path relative to the model file; undefined where there is none. */
export type ExternalFiles = (location: string) => Uint8Array | undefined;

export const isExternal = (tensor: TensorProto): boolean => tensor.data_location === externalLocation;

/** Where a tensor's bytes lie: in which file, from which byte, how many (to the end of the file where undefined). */
export interface ExternalReference {
  readonly location: string;
  readonly offset: number;
  readonly length: number | undefined;
}

/** Where each tensor that lies in another file is found, in the order of the model. */
export function externalReferences(bytes: Uint8Array): readonly ExternalReference[] {
  const graph = decodeModel(bytes).graph;
  const attributes = (graph?.node ?? []).flatMap((n) => n.attribute ?? []);
  const tensors = [...(graph?.initializer ?? []), ...attributes.flatMap((a) => a.t ?? [])];
  return tensors.filter(isExternal).map((t) => reference(t, t.name ?? ""));
}

/** The locations of all files that the model's weights lie in: what to load before `importModel`. */
export const externalLocations = (bytes: Uint8Array): readonly string[] => [
  ...new Set(externalReferences(bytes).map(({ location }) => location)),
];

/** The tensor's bytes: a view on its file. Throws `model-missing-data` where the file is not there or too short. */
export function readExternal(tensor: TensorProto, name: string, files: ExternalFiles): Uint8Array {
  const { location, offset, length } = reference(tensor, name);
  const file = files(location);
  if (file === undefined) {
    throw new AppError(
      "model-missing-data",
      `the weights of "${name}" lie in the file "${location}", which was not given: put it beside the model`,
      { location, tensor: name },
    );
  }
  const end = length === undefined ? file.length : offset + length;
  if (end > file.length || offset > file.length) {
    throw new AppError(
      "model-missing-data",
      `the weights of "${name}" are bytes ${offset} to ${end} of "${location}", which has only ${file.length}: ` +
        "it is truncated or belongs to another model",
      { location, tensor: name },
    );
  }
  return new Uint8Array(file.buffer, file.byteOffset + offset, end - offset);
}

function reference(tensor: TensorProto, name: string): ExternalReference {
  const entries = new Map((tensor.external_data ?? []).map((e) => [e.key ?? "", e.value ?? ""]));
  const location = entries.get("location");
  if (location === undefined || !isSafeLocation(location)) {
    throw new AppError(
      "model-malformed",
      `the weights of "${name}" lie in ${location === undefined ? "a file without a name" : `"${location}"`}: ` +
        "a location must be a relative path that stays below the model's folder",
      { tensor: name },
    );
  }
  return {
    location,
    offset: byteCount(entries.get("offset") ?? "0", "offset", name),
    length: entries.has("length") ? byteCount(entries.get("length") ?? "", "length", name) : undefined,
  };
}

/** No absolute path, drive, URL or step upwards: a model must not make its reader open other files. */
const isSafeLocation = (location: string): boolean =>
  location !== "" &&
  !/^[/\\]|^[a-z][a-z0-9+.-]*:|\0/i.test(location) &&
  location.split(/[/\\]/).every((part) => part !== "..");

function byteCount(text: string, what: string, name: string): number {
  const count = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isSafeInteger(count)) return count;
  throw new AppError(
    "model-malformed",
    `the external data of "${name}" has the ${what} "${text}", no number of bytes`,
    {
      tensor: name,
    },
  );
}
