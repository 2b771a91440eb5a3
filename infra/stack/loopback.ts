/**
 * @file Miniflare's server in Node, which its parts in workerd report to. It takes Node's default of five idle seconds
 * before it closes a connection, and workerd reuses one for as long: a report that crosses the closing is lost, and the
 * local queue that made it delivers nothing any more.
 */
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { IncomingMessage, Server } from "node:http";

/** Longer than workerd keeps an idle connection. */
const keepAliveMilliseconds = 60_000;
const channel = "http.server.request.start";

/** Keeps the connections of Miniflare's server open until the returned function is called. */
export function keepLoopbackOpen(): () => void {
  subscribe(channel, onRequest);
  return () => unsubscribe(channel, onRequest);
}

/** Miniflare has no option for it, and does not give its server out; Node tells of each request and its server. */
function onRequest(message: unknown): void {
  if (typeof message !== "object" || message === null || !("request" in message && "server" in message)) return;
  const { request, server } = message;
  if (!(request instanceof IncomingMessage && server instanceof Server)) return;
  if (request.url?.startsWith("/core/")) server.keepAliveTimeout = keepAliveMilliseconds;
}
