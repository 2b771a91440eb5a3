/** @file Starts a worker thread of a sweep: TypeScript is loaded through tsx, as by the command line itself. */
const { register } = await import("tsx/esm/api");
register();
const { serveShards } = await import("./thread.ts");
await serveShards();
