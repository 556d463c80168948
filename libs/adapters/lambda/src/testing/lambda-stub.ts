/** AWS Lambda as a script: answers to Invoke as a test says, over HTTP, so that the SDK's own client is what is tested. */
import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import type { CallRequest } from "../call.ts";

export type StubCall = {
  readonly request: CallRequest;
  readonly bytes: number;
  /** As in the address: `arn:…:function:late` and `7`. */
  readonly functionName: string;
  readonly version: string;
  /** The caller has gone away. */
  readonly gone: Promise<void>;
};

export type StubAnswer = {
  readonly status?: number;
  readonly executed?: string;
  /** Of `FunctionError`. */
  readonly broken?: { readonly errorType?: string; readonly errorMessage: string };
  /** Of an AWS error: `TooManyRequestsException`. */
  readonly error?: string;
  readonly body?: unknown;
  /** No answer at all. */
  readonly cut?: boolean;
};

export type StubVersion = { readonly Version: string; readonly CodeSha256: string } & Record<string, unknown>;

export type LambdaStub = AsyncDisposable & {
  readonly endpoint: string;
  /** All calls, in the order in which they came. */
  readonly calls: readonly StubCall[];
  /** Connections that are open. */
  connections(): Promise<number>;
};

export type LambdaScript = {
  answer(call: StubCall): StubAnswer | Promise<StubAnswer>;
  /** What ListVersionsByFunction gives, page by page. */
  versions?(): readonly (readonly StubVersion[])[];
};

const INVOKE = /^\/2015-03-31\/functions\/([^/]+)\/invocations\?Qualifier=(\w+)$/;
const VERSIONS = /^\/2015-03-31\/functions\/([^/]+)\/versions(?:\?Marker=(\d+))?$/;

export async function startLambdaStub(script: LambdaScript): Promise<LambdaStub> {
  const calls: StubCall[] = [];
  const server = createServer((request, response) => {
    const path = request.url ?? "";
    const invoked = INVOKE.exec(path);
    const listed = VERSIONS.exec(path);
    const gone = new Promise<void>((resolve) => response.once("close", () => resolve()));
    if (invoked !== null)
      void text(request).then(async (body) => {
        const [, functionName = "", version = ""] = invoked;
        const call: StubCall = {
          request: JSON.parse(body) as CallRequest,
          bytes: Buffer.byteLength(body),
          functionName: decodeURIComponent(functionName),
          version,
          gone,
        };
        calls.push(call);
        send(response, version, await script.answer(call));
      });
    else if (listed !== null) {
      const pages = script.versions?.() ?? [];
      const page = Number(listed[2] ?? 0);
      const more = page + 1 < pages.length ? { NextMarker: `${page + 1}` } : {};
      response.end(JSON.stringify({ Versions: pages[page] ?? [], ...more }));
    } else response.writeHead(404).end();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls,
    connections: () =>
      new Promise((resolve, reject) =>
        server.getConnections((error, count) => (error === null ? resolve(count) : reject(error))),
      ),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

function send(response: ServerResponse, version: string, answer: StubAnswer): void {
  const {
    status = answer.error === undefined ? 200 : 400,
    executed = version,
    broken,
    error,
    body,
    cut,
  } = answer;
  if (cut === true) return void response.destroy();
  const headers: Record<string, string> = { "x-amz-executed-version": executed };
  if (broken !== undefined) headers["x-amz-function-error"] = "Unhandled";
  if (error !== undefined) headers["x-amzn-errortype"] = error;
  response.writeHead(status, headers);
  response.end(JSON.stringify(broken ?? body ?? { Message: error }));
}
