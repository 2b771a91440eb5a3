/**
 * @file The local stack in a process of its own, for tests that kill it: one line of JSON says where it listens, and
 * what the Worker logs follows. Lives until it is killed, or whoever started it is gone.
 */
import { type StackOptions, startStack } from "../../infra/stack/stack.ts";

const options = JSON.parse(process.argv[2] ?? "{}") as StackOptions; // as the test that started this wrote it
const print = (line: string): void => void process.stdout.write(`${line}\n`);

process.stdin.on("close", () => process.exit()).resume();
const { url } = await startStack({ ...options, onLine: print });
print(JSON.stringify({ event: "listening", url }));
