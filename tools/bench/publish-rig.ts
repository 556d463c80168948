// One loader, three ways to make messages durable: plain inserts by the driver, unary publishes and batches through an
// ingress that is a process of its own. Same payload, same concurrency; the loader has its requests ready, as bytes.
import type { Client as Driver } from "cassandra-driver";
import { types } from "cassandra-driver";
import { create, fromBinary, toBinary, type DescMessage, type MessageShape } from "@bufbuild/protobuf";
import {
  PublishBatchesRequestSchema,
  PublishBatchesResponseSchema,
  PublishRequestSchema,
} from "@greco/contracts/greco/dataplane/v1/dataplane";
import type { StreamContent } from "@greco/domain/epoch";
import type { DataEntry } from "@greco/domain/lane";
import { seq } from "@greco/domain/lane";
import { epoch, type EntityIdentity } from "@greco/domain/model";
import { systemIds } from "@greco/service-kit";
import { encodeEntry } from "../../libs/adapters/cassandra/src/entry-codec.ts";
import { CASSANDRA_LIMITS } from "../../libs/adapters/cassandra/src/limits.ts";
import { benchKeys, startProcess } from "./app-process.ts";
import { MODEL, openDataPlane } from "./data-plane.ts";
import { bareClient, rate, roundOver, type BareClient } from "./loader.ts";

/** Calls under way at any moment. */
export const CONCURRENCY = 64;
export const LANES = 4;
const FLIGHTS = "stream/flights@1" as EntityIdentity;
const SERVICE = "/greco.dataplane.v1.IngressService";
const STREAM = `models/${MODEL}/streams/flights`;

const content: StreamContent = {
  name: "flights",
  schema: {
    type: "object",
    properties: {
      date: { type: "string" },
      delay: { type: "number" },
      distance: { type: "number" },
      origin: { type: "string" },
      destination: { type: "string" },
    },
    required: ["date", "delay", "distance"],
  },
  lanes: LANES,
};

/** Some 120 bytes each. */
export const payloads: readonly Buffer[] = Array.from({ length: 64 }, (_, index) =>
  Buffer.from(
    JSON.stringify({
      date: "2001/01/10 12:30",
      delay: 130 + index,
      distance: 350 + index * 7,
      origin: "ABE",
      destination: "ORD",
      carrier: "US",
      flight: 1_000 + index,
    }),
  ),
);
const payloadOf = (index: number): Buffer => payloads[index % payloads.length] as Buffer;

/** As the adapter writes them, made beforehand: the driver's loop has nothing to do but insert. */
const rowBytes = payloads.map((payload, index) => {
  const entry: DataEntry = {
    kind: "data",
    seq: seq(1),
    epoch: epoch(1),
    appendedAtMs: 1_700_000_000_000 + index,
    key: "",
    payload,
  };
  return encodeEntry(entry);
});

/** Rows of lanes that nobody reads, as the adapter writes them. */
export class RawRows {
  readonly #driver: Driver;
  readonly #lanes = Array.from({ length: LANES }, () => ({ id: `raw.${systemIds.next()}`, seq: 0 }));
  #turn = 0;

  constructor(driver: Driver) {
    this.#driver = driver;
  }

  /** The newest row of the lane that was written last. */
  get last(): { readonly id: string; readonly bucket: number; readonly seq: number } {
    const { id, seq: at } = this.#lanes[this.#turn % LANES] as { id: string; seq: number };
    return { id, bucket: Math.floor(at / CASSANDRA_LIMITS.bucketRows), seq: at };
  }

  async insert(): Promise<void> {
    this.#turn += 1;
    const lane = this.#lanes[this.#turn % LANES] as { id: string; seq: number };
    lane.seq += 1;
    const bucket = Math.floor(lane.seq / CASSANDRA_LIMITS.bucketRows);
    await this.#driver.execute(
      "INSERT INTO message_kept (model, lane, bucket, seq, epoch, entry) VALUES (?, ?, ?, ?, ?, ?)",
      [MODEL, lane.id, bucket, lane.seq, 1, rowBytes[this.#turn % rowBytes.length] as Buffer],
      { prepare: true, isIdempotent: true, consistency: types.consistencies.localQuorum },
    );
  }
}

export type PublishRig = AsyncDisposable & {
  raw(): Promise<number>;
  unary(): Promise<number>;
  /** Bare grpc-js that answers such requests and does nothing: what no service in Node can pass. */
  echo(): Promise<number>;
  /** Batches of `size`, `underWay` of them at any moment, on one stream. */
  batches(size: number, underWay: number): Promise<number>;
  /** For a profile. */
  readonly ingressPid: number;
};

export async function openPublishRig(signal: AbortSignal): Promise<PublishRig> {
  await using stack = new AsyncDisposableStack();
  const plane = stack.use(await openDataPlane(signal));
  await plane.commit([[FLIGHTS, content]], [FLIGHTS]);
  const { keys } = stack.use(await benchKeys());
  const free = "127.0.0.1:0";
  const flags = ["--keys", keys.keysFile, "--listen", free, "--connect", free, "--metrics", free];
  const program = "apps/ingress/src/main.ts";
  const ingress = stack.use(
    await startProcess({ program, flags, env: plane.env, event: "ingress.serving" }, signal),
  );
  const token = await keys.issue({ subject: "loader" });
  const client = stack.use(bareClient(ingress.address, token));
  const bare = stack.use(
    await startProcess(
      { program: "tools/bench/echo-server.ts", flags: ["60"], event: "bare.serving" },
      signal,
    ),
  );
  const echoes = stack.use(bareClient(bare.address, token));
  const rows = new RawRows(plane.raw);
  const requests = payloads.map((payload) =>
    bytesOf(PublishRequestSchema, create(PublishRequestSchema, { stream: STREAM, message: { payload } })),
  );
  let turn = 0;
  const next = (): Buffer => requests[(turn += 1) % requests.length] as Buffer;
  const publish = async (): Promise<void> => void (await client.unary(`${SERVICE}/Publish`, next()));
  const echo = async (): Promise<void> => void (await echoes.unary("/bare/echo", next()));
  const owned = stack.move();
  return {
    ingressPid: ingress.pid,
    raw: () => rate(CONCURRENCY, () => rows.insert()),
    unary: () => rate(CONCURRENCY, publish),
    echo: () => rate(CONCURRENCY, echo),
    batches: (size, underWay) => batched(client, size, underWay),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

const bytesOf = <S extends DescMessage>(schema: S, message: MessageShape<S>): Buffer =>
  Buffer.from(toBinary(schema, message));

async function batched(client: BareClient, size: number, underWay: number): Promise<number> {
  const messages = Array.from({ length: size }, (_, index) => ({ payload: payloadOf(index) }));
  const batch = create(PublishBatchesRequestSchema, { stream: STREAM, batchId: 1n, messages });
  const request = bytesOf(PublishBatchesRequestSchema, batch);
  const began = performance.now();
  const call = client.both(`${SERVICE}/PublishBatches`);
  let [sent, acknowledged, done] = [0, 0, 0];
  const send = (): void => {
    if (roundOver(began)) {
      if (!call.writableEnded) call.end();
    } else
      while (sent - acknowledged < underWay) {
        sent += 1;
        call.write(request);
      }
  };
  send();
  for await (const answer of call) {
    for (const { outcome } of fromBinary(PublishBatchesResponseSchema, answer as Buffer).results) {
      if (outcome.case !== "published") throw new Error(`not published: ${outcome.value?.message}`);
      done += 1;
    }
    acknowledged += 1;
    send();
  }
  return done / ((performance.now() - began) / 1_000);
}
