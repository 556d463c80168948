/** A function under AWS's own runtime client (aws-lambda-ric), which asks a Runtime API that is a script of ours. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { unzipSync } from "fflate";
import type { CallRequest, CallResponse } from "../call.ts";
import { FUNCTION_HANDLER } from "../function-code.ts";

export type AwsRuntime = AsyncDisposable & {
  /** What the handler answers. Rejects where AWS would answer with a FunctionError. */
  invoke(request: CallRequest): Promise<CallResponse>;
  /** What lay beside the function when it asked for its first call: it had been started by then. */
  readonly started: Promise<readonly string[]>;
  /** What the process has printed: its log. */
  output(): string;
};

type Waiting = { readonly id: string; resolve(answer: CallResponse): void; reject(error: Error): void };

const ANSWER = /^\/2018-06-01\/runtime\/(?:invocation\/([^/]+)\/(response|error)|init\/error)$/;

export async function startAwsRuntime(
  zip: Uint8Array,
  env: Readonly<Record<string, string>> = {},
): Promise<AwsRuntime> {
  await using starting = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), "greco-function-"));
  starting.defer(() => rm(folder, { recursive: true, force: true }));
  const root = join(folder, "task");
  await mkdir(root);
  for (const [name, bytes] of Object.entries(unzipSync(zip))) await writeFile(join(root, name), bytes);
  const asked = Promise.withResolvers<readonly string[]>();
  const api = starting.use(await startRuntimeApi(() => asked.resolve(readdirSync(root))));
  const child = spawn(
    process.execPath,
    [
      "--import",
      join(import.meta.dirname, "native-client.ts"),
      fileURLToPath(import.meta.resolve("aws-lambda-ric")),
    ],
    {
      cwd: root,
      env: {
        AWS_LAMBDA_RUNTIME_API: api.address,
        AWS_LAMBDA_NODEJS_USE_ALTERNATIVE_CLIENT_1: "true",
        AWS_EXECUTION_ENV: "AWS_Lambda_nodejs22.x",
        AWS_LAMBDA_FUNCTION_NAME: "late",
        AWS_LAMBDA_FUNCTION_VERSION: "7",
        AWS_LAMBDA_FUNCTION_MEMORY_SIZE: "128",
        AWS_LAMBDA_LOG_GROUP_NAME: "/aws/lambda/late",
        AWS_LAMBDA_LOG_STREAM_NAME: "stream",
        LAMBDA_TASK_ROOT: root,
        _HANDLER: FUNCTION_HANDLER,
        ...env,
      },
      stdio: ["ignore", "pipe", "pipe"],
    },
  );
  const exited = once(child, "exit");
  starting.defer(async () => {
    child.kill("SIGKILL");
    await exited;
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (more: string) => (output += more));
  void exited.then(([code, signal]) => api.end(new Error(`the process ended: ${code ?? signal}\n${output}`)));
  const running = starting.move();
  return {
    invoke: (request) => api.invoke(request),
    started: asked.promise,
    output: () => output,
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

type RuntimeApi = AsyncDisposable & {
  readonly address: string;
  invoke(request: CallRequest): Promise<CallResponse>;
  /** Nobody answers any more. */
  end(error: Error): void;
};

async function startRuntimeApi(asked: () => void): Promise<RuntimeApi> {
  const queue: (Waiting & { readonly body: string })[] = [];
  const given = new Map<string, Waiting>();
  let asking: ServerResponse | undefined;
  let ended: Error | undefined;
  let ids = 0;

  const give = (): void => {
    if (asking === undefined) return;
    const next = queue.shift();
    if (next === undefined) return;
    given.set(next.id, next);
    const headers = {
      "Lambda-Runtime-Aws-Request-Id": next.id,
      "Lambda-Runtime-Deadline-Ms": `${Date.now() + 60_000}`,
      "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:eu-west-1:123456789012:function:late:7",
    };
    asking.writeHead(200, headers).end(next.body);
    asking = undefined;
  };
  const end = (error: Error): void => {
    ended = error;
    for (const waiting of [...queue.splice(0), ...given.values()]) waiting.reject(error);
    given.clear();
  };
  const server = createServer((request, response) => {
    const path = request.url ?? "";
    if (path.endsWith("/invocation/next")) {
      asked();
      asking = response;
      give();
      return;
    }
    const [, id, what] = ANSWER.exec(path) ?? [];
    void text(request).then((body) => {
      response.writeHead(202).end();
      const waiting = given.get(id ?? "");
      given.delete(id ?? "");
      if (id === undefined) end(new Error(`the function does not start: ${body}`));
      else if (what === "error") waiting?.reject(new Error(body));
      else waiting?.resolve(JSON.parse(body) as CallResponse);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    end,
    invoke(request) {
      if (ended !== undefined) return Promise.reject(ended);
      const { promise, resolve, reject } = Promise.withResolvers<CallResponse>();
      ids += 1;
      queue.push({ id: `${ids}`, body: JSON.stringify(request), resolve, reject });
      give();
      return promise;
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}
