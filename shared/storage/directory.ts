/**
 * @file The store over a directory, in Node: a tree in which every object is a plain file under its own name, so that
 * it can be looked at, and filled, by other means. As in any tree, a key cannot begin with another key and a slash.
 */
import { lstat, mkdir, realpath } from "node:fs/promises";
import path from "node:path";
import { emptyBody, watchBody } from "./body.ts";
import { attempt, type Call, type Fault, storageFailed, textOf } from "./call.ts";
import * as files from "./directory-files.ts";
import { orAbsent } from "./directory-files.ts";
import { pathOf } from "./directory-names.ts";
import { type PageOptions, pagerOf } from "./directory-pages.ts";
import { createFile, lasting, removeFile, replaceFile } from "./directory-write.ts";
import { checkGet, checkKey, checkList, checkPut, pageMax } from "./keys.ts";
import type { GetResult, ListedObject, ListPage, ObjectInfo, ObjectStore, PutOptions, PutResult } from "./store.ts";

/** Files looked at together for a listing: some parallelism, far from a process's limit of open files. */
const lookAhead = 16;

/**
 * Opens a directory, which is made if it is not there. Creating is atomic over all processes; `ifMatch` is so within
 * one. Links are never followed, wherever they lead. Whether the file system tells `A` from `a` is found out, and names
 * are written so that keys that differ stay apart. Throws what the file system throws if there can be no directory.
 */
export async function openDirectoryStore(directory: string): Promise<ObjectStore> {
  await mkdir(directory, { recursive: true });
  const root = await realpath(directory);
  return directoryStore(root, (await files.prepareRoot(root)).foldsCase);
}

/** The store of a prepared root; for tests that need the other kind of file system. */
export function directoryStore(root: string, foldsCase: boolean): ObjectStore {
  const name = `directory:${path.basename(root)}`;
  const turns = new Map<string, Promise<unknown>>();
  const pager = pagerOf(root, foldsCase);
  const callOf = (operation: Call["operation"], key: string, signal: AbortSignal | undefined): Call => ({
    store: name,
    operation,
    key,
    signal,
    explain,
  });

  /** The path of a call's key, none of whose folders is a link. */
  async function locate(call: Call): Promise<string> {
    const names = pathOf(call.key, foldsCase);
    for (let depth = 1; depth < names.length; depth++) {
      const folder = await orAbsent(lstat(path.join(root, ...names.slice(0, depth))));
      if (folder === null) break;
      if (folder.isSymbolicLink()) throw storageFailed(call, lasting("a symbolic link is on its path"));
    }
    return path.join(root, ...names);
  }

  const open = async (call: Call) => files.openFile(root, await locate(call), call.key);

  const lookAt = async (at: string, key: string): Promise<ObjectInfo | null> => {
    const file = await files.lookAtFile(root, at, key);
    return file === null ? null : infoOf(file);
  };
  const look = async (call: Call): Promise<ObjectInfo | null> => lookAt(await locate(call), call.key);

  /** Writers of one key of this process, one after another. */
  function inTurn<T>(key: string, work: () => Promise<T>): Promise<T> {
    const mine = (turns.get(key) ?? Promise.resolve()).then(work, work);
    const ended = mine.then(
      () => {},
      () => {},
    );
    turns.set(key, ended);
    ended.then(() => turns.get(key) === ended && turns.delete(key));
    return mine;
  }

  async function put(call: Call, bytes: Uint8Array, options: PutOptions): Promise<PutResult> {
    const at = await locate(call);
    const { contentType, cacheControl = null, metadata = {}, ifMatch } = options;
    const draft = await files.writeDraft(root, bytes, { key: call.key, contentType, cacheControl, metadata });
    let outcome: PutResult["outcome"] | null = null;
    try {
      const replace = async () => {
        if (ifMatch !== undefined && (await look(call))?.etag !== ifMatch) return "changed";
        await replaceFile(root, call, draft.at, at);
        return "written";
      };
      outcome = options.onlyIfAbsent === true ? await createFile(call, draft.at, at) : await inTurn(call.key, replace);
      pager.forget(call.key);
      return outcome === "written" ? { outcome, etag: draft.etag } : { outcome };
    } finally {
      await files.discardDraft(draft, outcome === "written");
    }
  }

  async function list(options: PageOptions): Promise<ListPage> {
    const { visited, cursor } = await pager.page(options);
    const found = visited.filter((each) => each.kind === "object");
    const objects: ListedObject[] = [];
    for (let i = 0; i < found.length; i += lookAhead) {
      const looks = found.slice(i, i + lookAhead).map((each) => lookAt(each.at, each.name));
      // What was removed since the walk saw it is left out.
      objects.push(...(await Promise.all(looks)).filter((info) => info !== null).map(listedOf));
    }
    const prefixes = visited.filter(({ kind }) => kind === "prefix").map((each) => each.name);
    return { objects, prefixes, cursor };
  }

  return {
    name,
    async head(key, { signal } = {}) {
      checkKey(key);
      const call = callOf("head", key, signal);
      return attempt(call, () => look(call));
    },
    async get(key, options = {}): Promise<GetResult | null> {
      checkGet(key, options);
      const call = callOf("get", key, options.signal);
      const file = await attempt(
        call,
        () => open(call),
        (late) => late?.handle.close(),
      );
      if (file === null) return null;
      const info = infoOf(file);
      const outcome = outcomeOf(info.etag, options.ifMatch, options.ifNoneMatch);
      if (outcome !== "found") {
        await file.handle.close();
        return { outcome };
      }
      const offset = Math.min(options.range?.offset ?? 0, info.size);
      const length = Math.min(options.range?.length ?? info.size, info.size - offset);
      return { outcome, info, range: { offset, length }, body: await bodyOf(file, offset, length, call) };
    },
    async put(key, bytes, options) {
      checkPut(key, options);
      const call = callOf("put", key, options.signal);
      return attempt(call, () => put(call, bytes, options));
    },
    async list({ signal, ...options }) {
      checkList(options);
      const { prefix, cursor, limit = pageMax, delimiter, startAfter = "" } = options;
      const call = callOf("list", prefix, signal);
      const delimited = delimiter !== undefined;
      return attempt(call, () => list({ prefix, delimited, limit, startAfter, cursor }));
    },
    async delete(key, { signal } = {}) {
      checkKey(key);
      const call = callOf("delete", key, signal);
      await attempt(call, () => inTurn(key, async () => removeFile(root, key, await locate(call))));
      pager.forget(key);
    },
  };
}

async function bodyOf({ handle }: files.OpenFile, offset: number, length: number, call: Call) {
  if (length > 0) return watchBody(files.streamOf(handle, offset, length), length, call);
  await handle.close();
  return emptyBody();
}

const infoOf = ({ facts, size, modified }: files.KnownFile): ObjectInfo => ({ ...facts, size, modified });

const listedOf = ({ key, size, etag, modified }: ObjectInfo): ListedObject => ({ key, size, etag, modified });

function outcomeOf(etag: string, ifMatch: string | undefined, ifNoneMatch: string | undefined): GetResult["outcome"] {
  if (ifMatch !== undefined && ifMatch !== etag) return "changed";
  return ifNoneMatch === etag ? "not-modified" : "found";
}

/** Errors of the file system that pass: too much open, too full, too busy. */
const passing = /^(EMFILE|ENFILE|EBUSY|EAGAIN|ENOSPC|EDQUOT|EIO|ETIMEDOUT|ESTALE)$/;

/** Names the code only: the message holds the path. */
function explain(error: unknown): Fault {
  const code = textOf(error, "code");
  if (code === "ELOOP") return lasting("it is a symbolic link");
  return { why: code ?? "the file system failed", status: null, transient: passing.test(code ?? "") };
}
