/**
 * @file A folder of photos as the images of a bucket, whose other objects are elsewhere: no object is written among the
 * photos. The store's notes of them are, where the folder allows it: digests need not be computed again then.
 */
import { realpath } from "node:fs/promises";
import { AppError } from "../../../shared/errors.ts";
import { imagePrefix } from "../../../shared/pipeline/layout.ts";
import { directoryStore } from "../../../shared/storage/directory.ts";
import type { GetResult, ListedObject, ObjectStore } from "../../../shared/storage/store.ts";

/** Throws `not-found` where there is no such folder. */
export async function mountImages(folder: string, rest: ObjectStore): Promise<ObjectStore> {
  const root = await realpath(folder).catch((cause: unknown) => {
    throw new AppError("not-found", `there is no folder of images "${folder}"`, { folder }, { cause });
  });
  const images = directoryStore(root, false);
  const isImage = (key: string): boolean => key.startsWith(imagePrefix);
  const inside = (key: string): string => key.slice(imagePrefix.length);
  const outside = <T extends ListedObject>(object: T): T => ({ ...object, key: `${imagePrefix}${object.key}` });
  return {
    name: rest.name,
    async head(key, options) {
      if (!isImage(key)) return rest.head(key, options);
      const info = await images.head(inside(key), options);
      return info && outside(info);
    },
    async get(key, options): Promise<GetResult | null> {
      if (!isImage(key)) return rest.get(key, options);
      const found = await images.get(inside(key), options);
      return found?.outcome === "found" ? { ...found, info: outside(found.info) } : found;
    },
    async list(options) {
      if (!isImage(options.prefix)) return rest.list(options);
      const page = await images.list({
        ...options,
        prefix: inside(options.prefix),
        ...(options.startAfter !== undefined && { startAfter: inside(options.startAfter) }),
      });
      return { ...page, objects: page.objects.map(outside), prefixes: page.prefixes.map((p) => `${imagePrefix}${p}`) };
    },
    async put(key, bytes, options) {
      if (!isImage(key)) return rest.put(key, bytes, options);
      throw new AppError("request-invalid", `nothing is written among the photos: "${key}"`);
    },
    async delete(key, options) {
      if (!isImage(key)) return rest.delete(key, options);
      throw new AppError("request-invalid", `nothing is removed among the photos: "${key}"`);
    },
  };
}
