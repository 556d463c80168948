// The proxy in front of a target that is a few lines: what passes through it, what its log keeps, how it ends.
import { once } from "node:events";
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  request as httpRequest,
  type ServerResponse,
} from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";
import { expect, it } from "vitest";
import type { Call } from "./call.ts";
import { openLambdaFaults } from "./lambda-faults.ts";
import { requestBytesMax } from "./limits.ts";

const { signal } = new AbortController();

type Heard = {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
};

/** Answers each request with its size, or not at all while `silent`. */
async function startTarget(silent = false) {
  const heard: Heard[] = [];
  const arrived = Promise.withResolvers<void>();
  const hear = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await buffer(request);
    heard.push({ method: request.method ?? "", path: request.url ?? "", headers: request.headers, body });
    arrived.resolve();
    if (silent) return;
    response.writeHead(200, { "content-type": "application/json", "x-amz-executed-version": "7" });
    response.end(JSON.stringify({ bytes: body.length }));
  };
  const server = createServer((request, response) => void hear(request, response));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    target: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    heard,
    arrived: arrived.promise,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise<void>((closed) => server.close(() => closed()));
    },
  };
}

const post = (endpoint: string, path: string, body: object): Promise<Response> =>
  fetch(`${endpoint}${path}`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: "secret" },
    body: JSON.stringify(body),
  });

it("passes a call on as it is, and keeps of a zip its digest, of a signature nothing", async () => {
  await using target = await startTarget();
  await using proxy = await openLambdaFaults({ target: target.target }, signal);
  const zip = Buffer.alloc(5 * 1024 * 1024, "zip");
  const body = { FunctionName: "f", Code: { ZipFile: zip.toString("base64") } };
  const response = await post(proxy.endpoint, "/2015-03-31/functions", body);
  expect(await response.json()).toEqual({ bytes: JSON.stringify(body).length });
  expect(target.heard[0]?.body.toString()).toBe(JSON.stringify(body));
  expect(target.heard[0]?.headers.authorization).toBe("secret");
  const [call] = proxy.calls;
  expect(call).toMatchObject({
    n: 1,
    operation: "CreateFunction",
    functionName: "f",
    request: {
      method: "POST",
      path: "/2015-03-31/functions",
      body: {
        FunctionName: "f",
        Code: { ZipFile: { bytes: zip.length, sha256: expect.stringMatching(/^[\w+/]{43}=$/) as string } },
      },
    },
    response: { status: 200, executedVersion: "7" },
  });
  expect(JSON.stringify(call)).not.toContain("secret");
});

it("keeps the newest calls, and counts those that it lets go", async () => {
  await using target = await startTarget();
  await using proxy = await openLambdaFaults({ target: target.target, callsMax: 3 }, signal);
  for (const name of ["a", "b", "c", "d", "e"])
    await (await fetch(`${proxy.endpoint}/2015-03-31/functions/${name}`)).text();
  expect(proxy.calls.map(({ n, functionName }) => [n, functionName])).toEqual([
    [3, "c"],
    [4, "d"],
    [5, "e"],
  ]);
  expect(proxy.dropped).toBe(2);
  proxy.clear();
  expect([proxy.calls.length, proxy.dropped]).toEqual([0, 0]);
});

it("calls hooks around a call, and waits for them", async () => {
  await using target = await startTarget();
  await using proxy = await openLambdaFaults({ target: target.target }, signal);
  const seen: string[] = [];
  const letGo = Promise.withResolvers<void>();
  const remove = proxy.onCall(async ({ operation, forwarded }: Call, when) => {
    seen.push(`${when} ${operation} ${String(target.heard.length)} ${forwarded?.status ?? "-"}`);
    if (when === "after") await letGo.promise;
  });
  const answered = post(proxy.endpoint, "/2015-03-31/functions/f/versions", {});
  await target.arrived;
  expect(proxy.calls[0]?.response).toBeUndefined();
  letGo.resolve();
  await (await answered).text();
  expect(seen).toEqual(["before PublishVersion 0 -", "after PublishVersion 1 200"]);
  remove();
  await (await post(proxy.endpoint, "/2015-03-31/functions/f/versions", {})).text();
  expect(seen).toHaveLength(2);
});

it("says what is wrong when the target cannot be asked, or a hook fails", async () => {
  const target = await startTarget();
  await using proxy = await openLambdaFaults({ target: target.target }, signal);
  proxy.onCall(({ n }) => (n === 1 ? Promise.reject(new Error("wrong hook")) : undefined));
  const refused = await fetch(`${proxy.endpoint}/2015-03-31/functions`);
  expect(refused.status).toBe(500);
  expect(await refused.text()).toContain("wrong hook");
  await target[Symbol.asyncDispose]();
  const unreachable = await fetch(`${proxy.endpoint}/2015-03-31/functions`);
  expect(unreachable.status).toBe(500);
  expect(await unreachable.text()).toContain("ECONNREFUSED");
});

it("lets a call have its effect when the caller has gone", async () => {
  await using target = await startTarget();
  await using proxy = await openLambdaFaults({ target: target.target }, signal);
  const caller = new AbortController();
  const ended = Promise.withResolvers<Call>();
  proxy.arm({ operation: "DeleteFunction", what: { type: "hook", run: () => caller.abort() } });
  proxy.onCall((call, when) => {
    if (when === "after") ended.resolve(call);
  });
  const path = `${proxy.endpoint}/2015-03-31/functions/f`;
  await expect(fetch(path, { method: "DELETE", signal: caller.signal })).rejects.toThrow(/abort/);
  expect((await ended.promise).forwarded?.status).toBe(200);
});

it("refuses what is larger than AWS takes", async () => {
  await using target = await startTarget();
  await using proxy = await openLambdaFaults({ target: target.target }, signal);
  const { hostname, port } = new URL(proxy.endpoint);
  const sent = httpRequest({ hostname, port, method: "POST", path: "/2015-03-31/functions", agent: false });
  // It is told before it has sent it all, and may find its connection closed.
  sent.on("error", () => undefined);
  const answered = once(sent, "response");
  sent.end(Buffer.alloc(requestBytesMax + 1));
  const [response] = (await answered) as [{ statusCode?: number; resume(): void }];
  response.resume();
  expect(response.statusCode).toBe(413);
  expect(target.heard).toEqual([]);
});

it("ends while calls are under way", async () => {
  await using target = await startTarget(true);
  const proxy = await openLambdaFaults({ target: target.target }, signal);
  const waiting = fetch(`${proxy.endpoint}/2015-03-31/functions`);
  await target.arrived;
  await Promise.all([expect(waiting).rejects.toThrow(), proxy[Symbol.asyncDispose]()]);
  await expect(fetch(proxy.endpoint)).rejects.toThrow();
  await proxy[Symbol.asyncDispose]();
});
