/** @file The contract on an R2 binding, seen from Node; workerd.test.ts has it in the runtime itself. */
import { afterAll, beforeAll, describe, it } from "vitest";
import { r2Store } from "../../shared/storage/r2.ts";
import type { ObjectStore } from "../../shared/storage/store.ts";
import { startR2 } from "../support/s3-servers.ts";
import { runCheck, shortContract } from "./contract.ts";

let store: ObjectStore;
let stop: () => Promise<void>;
beforeAll(async () => {
  const server = await startR2();
  stop = server.stop;
  store = r2Store(server.bucket, "images");
});
afterAll(() => stop());

describe("the store over an R2 binding", () => {
  it.each(shortContract)("$name", (check) => runCheck(check, store));
});
