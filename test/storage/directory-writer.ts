/** @file A process of its own that replaces the object `a` of a directory store many times: `ROOT TIMES`. */
import { openDirectoryStore } from "../../shared/storage/directory.ts";

const [root = "", times = "0"] = process.argv.slice(2);
const store = await openDirectoryStore(root);
for (let i = 0; i < Number(times); i++) {
  await store.put("a", new TextEncoder().encode(`${i}`), { contentType: "image/png", metadata: { note: "x" } });
}
