/**
 * @file An independent S3 for tests: Ceph's radosgw over a cluster of one monitor and one object store in memory, on
 * free loopback ports and in a folder of its own. Needs the programs of Debian's ceph-mon, ceph-osd and radosgw.
 */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { access, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { S3 } from "@aws-sdk/client-s3";
import type { S3Credentials } from "../../shared/storage/s3.ts";
import type { S3Server } from "./s3-servers.ts";

const run = promisify(execFile);

/** From nothing to a bucket it takes about 12 s of two free cores. Milliseconds. */
const startMax = 90_000;

/** How long a daemon may take to end when told to, before it is killed. Milliseconds. */
const stopMax = 5_000;

const programs = ["ceph", "ceph-authtool", "ceph-mon", "ceph-osd", "monmaptool", "radosgw", "radosgw-admin"];

/** Whether the programs are installed. */
export async function hasRadosgw(): Promise<boolean> {
  try {
    await Promise.all(programs.map((name) => access(path.join("/usr/bin", name))));
    return true;
  } catch {
    return false;
  }
}

/** Starts a cluster with one user and one empty bucket. Throws with the daemons' last words if it does not come up. */
export async function startRadosgw(): Promise<S3Server> {
  const folder = await mkdtemp(path.join(os.tmpdir(), "backlight-rgw-"));
  const daemons: Daemon[] = [];
  const stop = async (): Promise<void> => {
    // The gateway first: without its cluster it would wait before it ends.
    for (const { child } of daemons.toReversed()) await ended(child);
    await rm(folder, { recursive: true, force: true });
  };
  try {
    const server = await startCluster(folder, daemons);
    return { ...server, stop };
  } catch (error) {
    const words = daemons.map(({ name, lastWords }) => `${name}: ${lastWords().slice(-500)}`).join("\n");
    await stop();
    throw new Error(`radosgw did not start\n${words}`, { cause: error });
  }
}

interface Daemon {
  readonly name: string;
  readonly child: ChildProcess;
  readonly lastWords: () => string;
}

async function startCluster(folder: string, daemons: Daemon[]): Promise<Address> {
  const [monitorPort, gatewayPort] = [await freePort(), await freePort()];
  const cluster = randomUUID();
  const at = (name: string): string => path.join(folder, name);
  await writeFile(at("ceph.conf"), settings(folder, cluster, monitorPort, gatewayPort));
  for (const name of ["mon", "osd", "rgw"]) await mkdir(at(name));

  const deadline = AbortSignal.timeout(startMax);
  const conf = ["-c", at("ceph.conf")];
  const call = (program: string, ...options: readonly string[]) =>
    run(path.join("/usr/bin", program), [...options], { signal: deadline, cwd: folder });
  const start = (program: string, ...options: readonly string[]): void => {
    daemons.push(daemon(program, [...conf, "-f", ...options], folder));
  };

  await writeFile(at("keyring"), "");
  for (const [name, ...caps] of keys) {
    await call("ceph-authtool", at("keyring"), "--gen-key", "-n", name, ...caps.flatMap((cap) => ["--cap", ...cap]));
  }
  const address = `[v2:127.0.0.1:${monitorPort}/0]`;
  await call("monmaptool", "--create", "--fsid", cluster, "--addv", "a", address, at("monmap"));
  await call("ceph-mon", ...conf, "--mkfs", "-i", "a", "--monmap", at("monmap"), "--keyring", at("keyring"));
  start("ceph-mon", "-i", "a");
  const osd = randomUUID();
  await call("ceph", ...conf, "osd", "new", osd, "0");
  await call("ceph-osd", ...conf, "-i", "0", "--mkfs", "--osd-uuid", osd);
  start("ceph-osd", "-i", "0");
  const gateway = [...conf, "-n", "client.rgw"];
  const credentials = { accessKeyId: "local-key-id", secretAccessKey: "local-secret-key" };
  const user = ["--uid=test", "--display-name=test", "--access-key=local-key-id", "--secret-key=local-secret-key"];
  await call("radosgw-admin", ...gateway, "user", "create", ...user);
  start("radosgw", "-n", "client.rgw");

  // Not "auto": radosgw takes it for the name of a zone group.
  const server = { endpoint: `http://127.0.0.1:${gatewayPort}`, bucket: "images", region: "us-east-1", credentials };
  await bucketMade(server, deadline);
  return server;
}

/** Who may do what; all in one keyring, which every daemon reads. */
const keys: readonly (readonly [string, ...(readonly [string, string])[]])[] = [
  ["mon.", ["mon", "allow *"]],
  ["client.admin", ["mon", "allow *"], ["osd", "allow *"]],
  ["client.rgw", ["mon", "allow *"], ["osd", "allow *"]],
  ["osd.0", ["mon", "allow profile osd"], ["osd", "allow *"]],
];

const settings = (folder: string, cluster: string, monitorPort: number, gatewayPort: number): string => `
[global]
fsid = ${cluster}
mon host = [v2:127.0.0.1:${monitorPort}/0]
public addr = 127.0.0.1
keyring = ${folder}/keyring
run dir = ${folder}
admin socket = ${folder}/$name.$pid.asok
log file =
log to stderr = true
# One copy of everything, in memory.
osd objectstore = memstore
osd crush chooseleaf type = 0
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pg autoscale mode = off
mon allow pool size one = true
mon data = ${folder}/mon
# The disk of the tests is nearly as full as it likes.
mon data avail crit = 1
osd data = ${folder}/osd
[client.rgw]
rgw frontends = beast endpoint=127.0.0.1:${gatewayPort}
rgw data = ${folder}/rgw
`;

function daemon(name: string, options: readonly string[], cwd: string): Daemon {
  const child = spawn(path.join("/usr/bin", name), [...options], { cwd, stdio: ["ignore", "ignore", "pipe"] });
  let words = "";
  child.stderr.on("data", (more) => {
    words = (words + more).slice(-4000);
  });
  return { name, child, lastWords: () => words };
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, "exit");
  child.kill();
  const timer = setTimeout(() => child.kill("SIGKILL"), stopMax);
  await exit;
  clearTimeout(timer);
}

type Address = Pick<S3Server, "bucket" | "region"> & { readonly endpoint: string; readonly credentials: S3Credentials };

async function bucketMade({ bucket, ...server }: Address, deadline: AbortSignal): Promise<void> {
  const client = new S3({ ...server, forcePathStyle: true, maxAttempts: 1 });
  for (;;) {
    try {
      await client.createBucket({ Bucket: bucket });
      return;
    } catch (error) {
      if (deadline.aborted) throw error;
      await sleep(250);
    }
  }
}

async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("no port was given");
  return address.port;
}
