/** @file The contract on R2's S3 endpoint. */
import { afterAll, beforeAll, describe, it } from "vitest";
import { s3Store } from "../../shared/storage/s3.ts";
import type { ObjectStore } from "../../shared/storage/store.ts";
import { type S3Server, startMiniflareS3 } from "../support/s3-servers.ts";
import { runCheck, shortContract } from "./contract.ts";
import { refusals } from "./s3-refusals.ts";

let server: S3Server;
let store: ObjectStore;
beforeAll(async () => {
  server = await startMiniflareS3();
  store = s3Store(server);
});
afterAll(() => server.stop());

describe("the store over R2's S3 endpoint", () => {
  it.each(shortContract)("$name", (check) => runCheck(check, store));
  it.each(refusals)("$name", ({ run }) => run(server));
});
