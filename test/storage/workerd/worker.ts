/** @file A Worker that runs a check of the contract where it is, on R2 or on an S3, and tells how it went. */
import type { R2Bucket } from "@cloudflare/workers-types";
import { r2Store } from "../../../shared/storage/r2.ts";
import { s3Store } from "../../../shared/storage/s3.ts";
import type { ObjectStore } from "../../../shared/storage/store.ts";
import { fails } from "../contract/check.ts";
import { contract, runCheck } from "../contract.ts";

interface Env {
  readonly BUCKET: R2Bucket;
  /** JSON of S3Options. */
  readonly S3: string;
}

// One for all requests of the isolate: nothing in it may belong to the request it was made in.
let s3: ObjectStore | undefined;

export default {
  /**
   * `POST /r2` or `/s3` with the name of a check: answers what went wrong, or nothing. `POST /refused` with changes to
   * the S3Options: answers with the error of a listing.
   */
  async fetch(request: Request, env: Env): Promise<Response> {
    if (new URL(request.url).pathname === "/refused") {
      const store = s3Store({ ...JSON.parse(env.S3), ...JSON.parse(await request.text()) });
      const error = await fails(store.list({ prefix: "a" }), "storage-failed");
      return Response.json({ message: error.message, context: error.context });
    }
    s3 ??= s3Store(JSON.parse(env.S3));
    const store = new URL(request.url).pathname === "/r2" ? r2Store(env.BUCKET, "images") : s3;
    const name = await request.text();
    const check = contract.find((each) => each.name === name);
    if (check === undefined) return new Response(`there is no check "${name}"`);
    try {
      await runCheck(check, store);
      return new Response("");
    } catch (error) {
      return new Response(error instanceof Error ? (error.stack ?? error.message) : String(error));
    }
  },
};
