// [B-read] What the registry adds to a read from its memory (a token checked, a role looked up, rules of the contract,
// encoding), beside bare grpc-js that answers with as many bytes. The loader is the same bare grpc-js for both.
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { EntitySchema } from "@greco/contracts/greco/model/v1/model";
import { GetEntityRequestSchema } from "@greco/contracts/greco/registry/v1/registry";
import type { Bench, BenchContext, Measured } from "../bench.ts";
import { bareClient, rate } from "../loader.ts";
import { interleaved, show } from "../measure.ts";
import { entityOf } from "../registry.ts";
import { MODEL, openRegistryApart } from "../registry-apart.ts";

const ENTITIES = 1_000;
const CONCURRENCY = 64;
const ROUNDS = 16;
const WARMUPS = 4;
const LIMIT = 0.8;
const PATH = "/greco.registry.v1.RegistryService/GetEntity";

const nameOf = (index: number): string => `models/${MODEL}/entities/${entityOf(index).key}`;
const requestOf = (index: number): Buffer => {
  const request = create(GetEntityRequestSchema, { name: nameOf(index) });
  return Buffer.from(toBinary(GetEntityRequestSchema, request));
};

async function run({ signal, say }: BenchContext): Promise<Measured> {
  await using apart = await openRegistryApart(ENTITIES, signal);
  const { token, registry } = apart;
  using reads = bareClient(registry.address, token);
  // Queries: some 200 bytes, as most reads are.
  const requests = Array.from({ length: ENTITIES / 10 }, (_, index) => requestOf(10 * index + 5));
  const first = await reads.unary(PATH, requests[0] as Buffer);
  if (fromBinary(EntitySchema, first).name !== nameOf(5)) throw new Error("that is another entity");
  const bare = await apart.bare(first.length);
  using echoes = bareClient(bare.address, token);
  let turn = 0;
  const next = (): Buffer => requests[(turn += 1) % requests.length] as Buffer;
  const { a, b, ratio } = await interleaved(ROUNDS, {
    a: () => rate(CONCURRENCY, async () => void (await reads.unary(PATH, next()))),
    b: () => rate(CONCURRENCY, async () => void (await echoes.unary("/bare/echo", next()))),
    warmups: WARMUPS,
  });
  say(`reads ${show(a, "/s")}, echoes ${show(b, "/s")}, answers of ${first.length} bytes`);
  return {
    figure: `${show(ratio)}: ${show(a, "/s")} against ${show(b, "/s")}`,
    pass: ratio.median >= LIMIT,
    details: { reads: a, echoes: b, ratio, bytes: first.length },
  };
}

export const bench: Bench = {
  id: "B-read",
  title: `cached reads of the registry (GetEntity), ${CONCURRENCY} under way`,
  limit: `≥ ${LIMIT} × a bare grpc-js echo of the same sizes`,
  run,
};
