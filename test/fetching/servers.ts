/** @file Servers on the loopback interface that behave as a test wants, well or badly. */
import http from "node:http";
import net, { type AddressInfo } from "node:net";

export interface TestServer {
  readonly port: number;
  /** `http://127.0.0.1:port`. */
  readonly origin: string;
  /** What was asked, in order: `GET /path`. */
  readonly asked: readonly string[];
  /** How many connections were ever opened, and how many still are. */
  readonly connections: { total: number; open: number };
  close(): Promise<void>;
}

/** An HTTP server with one handler. */
export function startHttp(handler: http.RequestListener, host = "127.0.0.1", port = 0): Promise<TestServer> {
  const asked: string[] = [];
  const server = http.createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    handler(request, response);
  });
  return started(server, asked, host, port);
}

/** A TCP server that answers each connection's first bytes as it likes: for what `node:http` will not send. */
export function startRaw(answer: (socket: net.Socket, request: Buffer) => void): Promise<TestServer> {
  const asked: string[] = [];
  const server = net.createServer((socket) => {
    socket.on("error", () => undefined); // the client hangs up, which is what is tested
    socket.once("data", (request: Buffer) => {
      asked.push(request.toString("latin1"));
      answer(socket, request);
    });
  });
  return started(server, asked, "127.0.0.1", 0);
}

async function started(
  server: net.Server,
  asked: readonly string[],
  host: string,
  wanted: number,
): Promise<TestServer> {
  const sockets = new Set<net.Socket>();
  const connections = { total: 0, open: 0 };
  server.on("connection", (socket: net.Socket) => {
    sockets.add(socket);
    connections.total += 1;
    connections.open += 1;
    socket.on("close", () => {
      sockets.delete(socket);
      connections.open -= 1;
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(wanted, host, resolve);
  });
  // A TCP server's address is never a path or null once it listens.
  const { port } = server.address() as AddressInfo;
  return {
    port,
    origin: `http://${host}:${port}`,
    asked,
    connections,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

const pngMagic = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];

/** Bytes that begin as a PNG does; nothing here decodes them. */
export function pngOf(length: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length }, (_, i) => pngMagic[i] ?? i % 251);
}
