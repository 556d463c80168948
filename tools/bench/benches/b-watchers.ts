// [B-watchers] One change, told to a thousand watchers of a model: from the call that changes it to the last delivery,
// beside a bare grpc-js server that writes as many bytes to as many streams when it is called. The loader is the same.
import type { ClientReadableStream } from "@grpc/grpc-js";
import { create, toBinary } from "@bufbuild/protobuf";
import { WatchModelRequestSchema } from "@greco/contracts/greco/registry/v1/registry";
import type { Bench, BenchContext, Measured } from "../bench.ts";
import { bareClient, type BareClient } from "../loader.ts";
import { interleaved, show } from "../measure.ts";
import { MODEL, openRegistryApart, type RegistryApart } from "../registry-apart.ts";

const WATCHERS = 1_000;
const CONNECTIONS = 10;
const ROUNDS = 60;
const WARMUPS = 15;
const LIMIT = 2;
const NAME = `models/${MODEL}`;

/** All watchers of one server; each has been told of the present. */
class Watchers implements Disposable {
  readonly #clients: BareClient[] = [];
  readonly #streams: ClientReadableStream<Buffer>[] = [];
  #told = 0;
  #wanted = WATCHERS;
  #all = Promise.withResolvers<void>();
  bytes = 0;

  static async open(address: string, token: string, path: string, request: Buffer): Promise<Watchers> {
    const watchers = new Watchers();
    for (let each = 0; each < CONNECTIONS; each += 1) {
      const client = bareClient(address, token);
      watchers.#clients.push(client);
      for (let stream = 0; stream < WATCHERS / CONNECTIONS; stream += 1)
        watchers.#hear(client.stream(path, request));
    }
    await watchers.#all.promise;
    return watchers;
  }

  #hear(stream: ClientReadableStream<Buffer>): void {
    this.#streams.push(stream);
    stream.on("data", (bytes: Buffer) => {
      // Marks of progress are no deliveries.
      if (bytes.length < this.bytes / 2) return;
      this.bytes = bytes.length;
      this.#told += 1;
      if (this.#told === this.#wanted) this.#all.resolve();
    });
    stream.on("error", (error) => this.#all.reject(error));
  }

  /** Milliseconds until every watcher was told of what `change` does. */
  async toldOf(change: () => Promise<unknown>): Promise<number> {
    this.#all = Promise.withResolvers<void>();
    this.#told = 0;
    this.#wanted = WATCHERS;
    const began = performance.now();
    await Promise.all([change(), this.#all.promise]);
    return performance.now() - began;
  }

  [Symbol.dispose](): void {
    for (const stream of this.#streams) {
      stream.removeAllListeners("error");
      stream.on("error", () => undefined);
      stream.cancel();
    }
    for (const client of this.#clients) client[Symbol.dispose]();
  }
}

async function changing({ person }: RegistryApart, signal: AbortSignal): Promise<() => Promise<void>> {
  let { etag } = await person.getModel({ name: NAME }, { signal });
  let round = 0;
  return async () => {
    round += 1;
    const model = { name: NAME, etag, displayName: `round ${round % 10}` };
    ({ etag } = await person.updateModel({ model }, { signal }));
  };
}

async function run({ signal, say }: BenchContext): Promise<Measured> {
  await using apart = await openRegistryApart(10, signal);
  const { token, registry } = apart;
  const watch = create(WatchModelRequestSchema, { name: NAME });
  const request = Buffer.from(toBinary(WatchModelRequestSchema, watch));
  const path = "/greco.registry.v1.RegistryService/WatchModel";
  using watchers = await Watchers.open(registry.address, token, path, request);
  const bare = await apart.bare(watchers.bytes);
  using bareWatchers = await Watchers.open(bare.address, token, "/bare/watch", request);
  using poking = bareClient(bare.address, token);
  const change = await changing(apart, signal);
  const { a, b, ratio } = await interleaved(ROUNDS, {
    a: () => watchers.toldOf(change),
    b: () => bareWatchers.toldOf(() => poking.unary("/bare/poke", request)),
    warmups: WARMUPS,
  });
  say(`last delivery ${show(a, " ms")}, bare writes ${show(b, " ms")}, of ${watchers.bytes} bytes`);
  return {
    figure: `${show(ratio)}: ${show(a, " ms")} against ${show(b, " ms")}`,
    pass: ratio.median <= LIMIT,
    details: { watchers: a, bare: b, ratio, bytes: watchers.bytes },
  };
}

export const bench: Bench = {
  id: "B-watchers",
  title: `one change to ${WATCHERS.toLocaleString("en")} watchers, call → last delivery`,
  limit: `≤ ${LIMIT} × bare grpc-js writes to as many streams`,
  run,
};
