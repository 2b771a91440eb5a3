/** @file The contract on an S3 that has nothing to do with R2. */
import { afterAll, beforeAll, describe, it } from "vitest";
import { s3Store } from "../../shared/storage/s3.ts";
import type { ObjectStore } from "../../shared/storage/store.ts";
import { hasRadosgw, startRadosgw } from "../support/radosgw.ts";
import type { S3Server } from "../support/s3-servers.ts";
import { contract, runCheck } from "./contract.ts";
import { refusals } from "./s3-refusals.ts";

const installed = await hasRadosgw();
if (!installed)
  console.warn("SKIPPED: radosgw is not installed (ceph-mon, ceph-osd, radosgw): no second S3 was tested");

describe.skipIf(!installed)("the store over radosgw", () => {
  let server: S3Server;
  let store: ObjectStore;
  beforeAll(async () => {
    server = await startRadosgw();
    store = s3Store(server);
  });
  afterAll(() => server.stop());

  it.each(contract)("$name", (check) => runCheck(check, store));
  it.each(refusals)("$name", ({ run }) => run(server));
});
