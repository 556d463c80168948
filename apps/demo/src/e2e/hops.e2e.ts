import { systemClock } from "@greco/service-kit";
import { entityIdentity, entityKey, modelId } from "@greco/domain/model";
import type { EntityFile } from "@greco/entity-files";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { check } from "../checker.ts";
import { drained } from "../drained.ts";
import { evaluationOf } from "../evaluate.ts";
import { Publisher, PRODUCER } from "../publisher.ts";
import { committedVersion } from "../story.ts";
import { MODEL, PARENT, scaling, stream, World } from "./world.ts";

const FIELDS = { n: { type: "number" }, by: { type: "string" } };
const streams = [stream("a", FIELDS), stream("b", FIELDS), stream("c", FIELDS)];
const RATE = 1_000;
const INPUTS = Array.from({ length: 6_000 }, (_, n) => ({ n, by: "" }));

/** Factors of the two queries by version. */
const VERSIONS: readonly (readonly [first: number, second: number])[] = [
  [1, 1],
  [2, 1], // the first alone
  [2, 2], // the second alone
  [3, 3], // both together
  [3, 4],
  [5, 5],
];

describe("two queries in a row, changed alone and together while messages flow", () => {
  let world: World;
  beforeAll(async () => {
    world = await World.start();
  });
  afterAll(() => world[Symbol.asyncDispose]());

  it("I6, I8: along the whole path each message meets one version, nothing is lost or twice", async () => {
    const first = (factor: number): EntityFile => scaling("one", "a", "b", factor);
    const second = (factor: number): EntityFile => scaling("two", "b", "c", factor);
    const [start] = VERSIONS;
    committedVersion(await world.commit([...streams, first(start?.[0] ?? 1), second(start?.[1] ?? 1)]));
    const publisher = new Publisher(systemClock, { stream: `${PARENT}/streams/a`, rate: RATE });
    const published = publisher.publish(world.dev.clients("admin").ingress, INPUTS, world.signal);
    for (const [index, [one, two]] of VERSIONS.entries()) {
      const before = VERSIONS[index - 1];
      if (before === undefined) continue;
      const changes = [
        ...(one === before[0] ? [] : [first(one)]),
        ...(two === before[1] ? [] : [second(two)]),
      ];
      expect(committedVersion(await world.commit(changes))).toBe(index + 1);
    }
    await published;
    const clients = world.dev.clients("viewer");
    await drained(clients, { parent: PARENT, stream: "a", query: "one" }, systemClock, world.signal);
    await drained(clients, { parent: PARENT, stream: "b", query: "two" }, systemClock, world.signal);

    const id = (kind: string, name: string) => entityIdentity(entityKey(kind, name), 1);
    const hop = async (
      query: "one" | "two",
      source: string,
      target: string,
      published?: { inputs: readonly unknown[]; producer: string },
    ) => {
      const evaluations = await Promise.all(
        VERSIONS.map(([one, two]) => evaluationOf([...streams, query === "one" ? first(one) : second(two)])),
      );
      return check(
        world.dev.laneStore,
        {
          model: modelId(MODEL),
          source: id("stream", source),
          target: id("stream", target),
          query: id("query", query),
          ...(published === undefined ? {} : { published }),
          evaluate: async (epoch, payload) => (await evaluations[epoch - 1]?.(payload)) ?? [],
          switchEpoch: 2,
        },
        world.signal,
      );
    };
    const one = await hop("one", "a", "b", { inputs: INPUTS, producer: PRODUCER });
    const two = await hop("two", "b", "c");
    expect({ ...one, records: [], inputAt: 0 }).toMatchObject({
      inputs: INPUTS.length,
      outputs: INPUTS.length,
      lost: 0,
      duplicated: 0,
      misapplied: 0,
      mistakes: [],
    });
    expect({ ...two, records: [], inputAt: 0 }).toMatchObject({
      outputs: INPUTS.length,
      lost: 0,
      duplicated: 0,
      misapplied: 0,
      mistakes: [],
    });

    // The whole path: the factors that a result has met are a pair that some version had.
    const pairs = new Set(VERSIONS.map(([a, b]) => `onex${a} twox${b} `));
    const met = new Set(two.records.map((record) => (record.output as { by: string }).by));
    expect([...met].filter((pair) => !pairs.has(pair))).toEqual([]);
    // Several versions were really in force while messages flowed.
    expect(met.size).toBeGreaterThan(3);
  });
});
