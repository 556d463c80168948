// The least that a commit can be: the same transactions in the same order, the same announcement, and the calls between
// the same parties, by bare grpc-js with bytes for messages.
import { once } from "node:events";
import {
  Client as GrpcClient,
  credentials,
  Server,
  ServerCredentials,
  type MethodDefinition,
  type ServerUnaryCall,
  type ServerWritableStream,
  type sendUnaryData,
} from "@grpc/grpc-js";
import type { Compare, Operation, Transaction } from "@greco/ports";
import { CONDUCTORS, openBenchStores, type CommitSide, type Durable } from "./commit-rig.ts";

const MODEL = "m";
const HEAD = "head-of-the-skeleton";
/** As long as the messages of the real calls. */
const REQUEST = Buffer.alloc(200, 1);
const ANSWER = Buffer.alloc(300, 1);

const same = (bytes: Buffer): Buffer => bytes;
const method = (name: string, responseStream = false): MethodDefinition<Buffer, Buffer> => ({
  path: `/skeleton/${name}`,
  requestStream: false,
  responseStream,
  requestSerialize: same,
  requestDeserialize: same,
  responseSerialize: same,
  responseDeserialize: same,
});

type Unary = (request: Buffer) => Promise<Buffer>;

function unary(handle: Unary) {
  return (call: ServerUnaryCall<Buffer, Buffer>, callback: sendUnaryData<Buffer>): void => {
    handle(call.request).then(
      (answer) => callback(null, answer),
      (error: unknown) => callback(error as Error, null),
    );
  };
}

async function listen(server: Server): Promise<string> {
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    ),
  );
  return `127.0.0.1:${port}`;
}

export async function openSkeleton(durable: readonly Durable[], signal: AbortSignal): Promise<CommitSide> {
  await using stack = new AsyncDisposableStack();
  const { store, controlLog } = await openBenchStores(stack, signal);
  const transactions = durable.flatMap((each) => (each.type === "transaction" ? [each.transaction] : []));
  const publishes = durable.flatMap((each) => (each.type === "publish" ? [each.bytes] : []));
  const [freeze, ...rest] = transactions;
  const promote = rest.pop();
  if (freeze === undefined || promote === undefined)
    throw new Error("a commit has at least two transactions");
  let round = 0;
  const transact = async (transaction: Transaction, more: readonly Operation[] = []): Promise<void> => {
    const { succeeded } = await store.transact(shaped(transaction, round, more), signal);
    if (!succeeded) throw new Error("the skeleton lost a comparison");
  };

  const registry = new Server();
  stack.defer(() => registry.forceShutdown());
  const coordinator = new Server();
  stack.defer(() => coordinator.forceShutdown());
  const call = (client: GrpcClient, name: string): Promise<Buffer> =>
    new Promise((resolve, reject) => {
      client.makeUnaryRequest(`/skeleton/${name}`, same, same, REQUEST, (error, answer) =>
        error === null && answer !== undefined ? resolve(answer) : reject(error ?? new Error("no answer")),
      );
    });

  registry.addService(
    { freeze: method("freeze"), promote: method("promote"), watch: method("watch", true) },
    {
      freeze: unary(async () => (await transact(freeze), ANSWER)),
      promote: unary(async () => {
        await transact(promote, [{ type: "put", key: HEAD, value: Buffer.from(String(round)) }]);
        return ANSWER;
      }),
      watch: (stream: ServerWritableStream<Buffer, Buffer>) => {
        const run = async (): Promise<void> => {
          for await (const { events } of store.watch({ key: HEAD }, 0, signal))
            for (const event of events)
              if (event.type === "put") stream.write(Buffer.from(event.entry.value));
        };
        run().catch(() => stream.end());
        stream.write(Buffer.from("0"));
      },
    },
  );
  const registryAddress = await listen(registry);
  const toRegistry = new GrpcClient(registryAddress, credentials.createInsecure());
  stack.defer(() => toRegistry.close());

  let failed = (_error: unknown): void => undefined;
  let votes = 0;
  let voted = (): void => undefined;
  const propose = async (): Promise<void> => {
    for (const each of rest) await transact(each);
    votes = 0;
    const all = new Promise<void>((resolve) => (voted = resolve));
    for (const [index, bytes] of publishes.entries())
      await controlLog.publish(MODEL, `${round}.${index}`, Buffer.alloc(bytes, 1), signal);
    await all;
    await call(toRegistry, "promote");
  };
  coordinator.addService(
    { make: method("make"), answer: method("answer") },
    {
      make: unary(async () => {
        await call(toRegistry, "freeze");
        propose().catch((error: unknown) => failed(error));
        return ANSWER;
      }),
      answer: unary(async () => {
        votes += 1;
        if (votes === CONDUCTORS) voted();
        return ANSWER;
      }),
    },
  );
  const coordinatorAddress = await listen(coordinator);

  const ending = new AbortController();
  stack.defer(() => ending.abort(new Error("measured")));
  for (let index = 0; index < CONDUCTORS; index += 1) {
    const client = new GrpcClient(coordinatorAddress, credentials.createInsecure());
    stack.defer(() => client.close());
    const run = async (): Promise<void> => {
      for await (const _ of controlLog.subscribe(MODEL, 0, ending.signal)) await call(client, "answer");
    };
    run().catch((error: unknown) => {
      if (!ending.signal.aborted) throw error;
    });
  }
  const person = new GrpcClient(coordinatorAddress, credentials.createInsecure());
  stack.defer(() => person.close());
  const watching = new GrpcClient(registryAddress, credentials.createInsecure());
  stack.defer(() => watching.close());
  const heads = watching.makeServerStreamRequest("/skeleton/watch", same, same, REQUEST);
  stack.defer(() => heads.cancel());
  heads.on("error", () => undefined);
  let moved = (_version: number): void => undefined;
  heads.on("data", (bytes: Buffer) => moved(Number(bytes.toString())));
  await once(heads, "data");

  const owned = stack.move();
  return {
    async commit() {
      round += 1;
      const seen = new Promise<void>((resolve, reject) => {
        failed = reject;
        moved = (version) => {
          if (version === round) resolve();
        };
      });
      const start = performance.now();
      await call(person, "make");
      await seen;
      return performance.now() - start;
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** As many comparisons and operations, of the same sizes, on keys of its own. */
export function shaped(
  { compare, then }: Transaction,
  round: number,
  more: readonly Operation[] = [],
): Transaction {
  return {
    compare: compare.map(({ key }): Compare => ({ key, target: "modRevision", is: "!=", value: 2 ** 50 })),
    then: [...then.map((each, index) => own(each, round, index)), ...more],
  };
}

function own(operation: Operation, round: number, index: number): Operation {
  const suffix = `-${round}-${index}`;
  switch (operation.type) {
    case "put":
      return {
        type: "put",
        key: `${operation.key}${suffix}`,
        value: Buffer.alloc(operation.value.length, 1),
      };
    case "delete":
      return { type: "delete", range: { key: `gone${suffix}` } };
    case "get":
      return operation;
  }
}
