/** @file An HTTP server before a real S3 that answers some calls with an error, before or after they took effect. */
import http from "node:http";
import type { AddressInfo } from "node:net";

export interface FlakyProxy {
  readonly origin: string;
  readonly calls: () => number;
  readonly failures: () => number;
  readonly stop: () => Promise<void>;
}

/** An error as S3 has it. */
interface Refusal {
  readonly status: number;
  readonly code: string;
}

/** The client waits longer after this one, as it is told to. */
export const slowDown: Refusal = { status: 503, code: "SlowDown" };
export const internalError: Refusal = { status: 500, code: "InternalError" };

/**
 * Every `nth` call fails: in turn before it reaches the server, and after, its answer lost. The Host header is kept, as
 * signatures are over it.
 */
export async function startFlakyProxy(target: URL, nth: number, refusal = slowDown): Promise<FlakyProxy> {
  let [calls, failures] = [0, 0];
  const server = http.createServer((request, response) => {
    calls += 1;
    const fails = calls % nth === 0;
    if (fails) failures += 1;
    const refuse = (): void => {
      request.resume();
      response.writeHead(refusal.status, { "content-type": "application/xml" });
      response.end(`<Error><Code>${refusal.code}</Code><Message>made to fail</Message></Error>`);
    };
    if (fails && failures % 2 === 1) return refuse();
    const onward = http.request(
      { host: target.hostname, port: target.port, method: request.method, path: request.url, headers: request.headers },
      (answer) => {
        if (fails) {
          answer.resume();
          return refuse();
        }
        response.writeHead(answer.statusCode ?? 500, answer.headers);
        answer.pipe(response);
      },
    );
    onward.on("error", () => response.destroy());
    // A client that was killed: what it had begun to send never ends.
    response.on("close", () => {
      if (!response.writableFinished) onward.destroy();
    });
    request.pipe(onward);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo; // it listens on a port
  return {
    origin: `http://127.0.0.1:${port}`,
    calls: () => calls,
    failures: () => failures,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
