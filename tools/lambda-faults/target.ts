// The endpoint that really answers.
import { Agent, type IncomingHttpHeaders, request } from "node:http";
import { buffer } from "node:stream/consumers";
import type { Answer } from "./call.ts";
import { idleConnectionMs } from "./limits.ts";

export type Forwarded = {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
};

export type Upstream = Disposable & {
  /** Rejects when there is no whole answer; whether the call has had an effect is then unknown, as in life. */
  send(call: Forwarded): Promise<Answer>;
};

/** Of one connection, not of the message: each side has its own; and answers are read here, so they come as they are. */
const HOP_BY_HOP = new Set([
  ...["connection", "keep-alive", "transfer-encoding", "content-length", "expect"],
  "accept-encoding",
]);

function passedOn(headers: IncomingHttpHeaders): Record<string, string> {
  const kept = Object.entries(headers).filter(
    ([name, value]) => value !== undefined && !HOP_BY_HOP.has(name) && name !== "host",
  );
  return Object.fromEntries(kept.map(([name, value]) => [name, String(value)]));
}

export function upstream(target: URL, signal: AbortSignal): Upstream {
  const agent = new Agent({ keepAlive: true, timeout: idleConnectionMs });
  return {
    send: ({ method, path, headers, body }) =>
      new Promise((resolve, reject) => {
        const sent = request(
          {
            host: target.hostname,
            port: target.port,
            agent,
            method,
            path,
            headers: { ...passedOn(headers), host: target.host, "content-length": body.length },
            signal,
          },
          (response) => {
            buffer(response).then(
              (whole) =>
                resolve({
                  status: response.statusCode ?? 0,
                  headers: passedOn(response.headers),
                  body: whole,
                }),
              reject,
            );
          },
        );
        sent.on("error", reject);
        sent.end(body);
      }),
    [Symbol.dispose]: () => agent.destroy(),
  };
}
