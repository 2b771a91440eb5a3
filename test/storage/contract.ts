/** @file The contract of the stores: sentences that are true of every one of them, as a table. */
import type { ObjectStore } from "../../shared/storage/store.ts";
import type { Check } from "./contract/check.ts";
import { conditionChecks } from "./contract/conditions.ts";
import { listChecks } from "./contract/lists.ts";
import { objectChecks } from "./contract/objects.ts";

export const contract: readonly Check[] = [...objectChecks, ...conditionChecks, ...listChecks];

/** Those that a local R2 can be asked. */
export const shortContract = contract.filter(({ isLong }) => isLong !== true);

/** Runs a check on a part of the store that nobody else uses, at the root of which is a name of its own. */
export const runCheck = (check: Check, store: ObjectStore): Promise<void> =>
  check.run(store, `contract/${crypto.randomUUID()}/`);
