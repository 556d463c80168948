/** Writers that die, stores that lose, readers and sealers, together on a simulated clock: the whole kit, by seeds. */
import type { Entry } from "@greco/domain/lane";
import { seq } from "@greco/domain/lane";
import type { Random } from "@greco/simulation";
import { seededRandom, simulatedClock, simulatedIds } from "@greco/simulation";
import { expect, it } from "vitest";
import { readLane } from "./lane-reader.ts";
import { openLaneWriter } from "./lane-writer.ts";
import { sealLapsedWriters } from "./seal.ts";
import { createMemoryLaneStore } from "./testing/memory-lane-store.ts";
import { commit, directWake, MODEL, silentLog, STREAM } from "./testing/world.ts";
import type { OpenLane } from "./writer.ts";

const LEASE_MS = 400;
const DEATH_MS = 3000;

function troubled(random: Random) {
  return {
    latencyMs: () => (random.chance(0.02) ? random.integer(2 * LEASE_MS) : 1 + random.integer(4)),
    fault: () => {
      if (!random.chance(0.05)) return undefined;
      return random.pick(["unavailable", "unknown-done", "unknown-late"] as const);
    },
  };
}

async function run(seed: number) {
  const random = seededRandom(seed);
  const clock = simulatedClock();
  const chance = random.fork();
  const store = createMemoryLaneStore({ clock, chance: () => chance.next(), ...troubled(random.fork()) });
  const shared = { laneStore: store, wake: directWake(), clock, log: silentLog, model: MODEL };
  const options = { ...shared, ids: simulatedIds(seed), name: "w", leaseMs: LEASE_MS };
  const alive = new AbortController();
  const stop = new AbortController();
  const acknowledged = new Map<number, string>();
  const publishing: Promise<void>[] = [];
  const mercy = <T>(work: Promise<T>): Promise<T | undefined> => work.catch(() => undefined);

  const writer = await clock.drive(mercy(openLaneWriter(options, alive.signal)));
  const lane = writer && (await clock.drive(mercy(writer.openLane({ stream: STREAM }, alive.signal))));
  if (writer === undefined || lane === undefined) return { seed, acknowledged: 0, problems: [] };
  const publish = async (lane: OpenLane, key: string): Promise<void> => {
    const entries = [{ key, payload: new Uint8Array() }];
    const [appended] = (await mercy(lane.append(entries, stop.signal))) ?? [];
    if (appended !== undefined) acknowledged.set(appended.seq, `${appended.epoch} ${key}`);
  };
  const readers = [0, 1].map(() => {
    const taken: Entry[] = [];
    const done = (async () => {
      for await (const batch of readLane({ ...options, lane: lane.id, from: seq(1) }, stop.signal))
        if (batch.type === "entries") taken.push(...batch.entries);
    })();
    return { taken, done };
  });
  const sealing = [0, 1].map(() => sealLapsedWriters(options, stop.signal));
  for (let message = 0; clock.monotonicMs() < DEATH_MS; message += 1) {
    publishing.push(publish(lane, `m${message}`));
    if (random.chance(0.03)) {
      const epoch = Math.floor(message / 20) + 1;
      const scope = random.chance(0.7) ? [STREAM] : [];
      publishing.push(mercy(commit(options, epoch, { scope }, stop.signal)).then(() => undefined));
    }
    await clock.advance(random.integer(40));
  }
  alive.abort(new Error("killed"));
  await clock.drive(Promise.all(readers.map(({ done }) => done)));
  // What was late may land now.
  await clock.advance(200 * LEASE_MS);
  stop.abort();
  await Promise.all([...publishing, ...sealing]);
  const record = await clock.drive(
    (async () => {
      for (;;) {
        const found = await mercy(store.getLane(MODEL, lane.id, new AbortController().signal));
        if (found !== undefined) return found;
      }
    })(),
  );

  const end = record.state.end ?? -1;
  const problems = store.conflicts.map((conflict) => `R1: two contents at ${conflict}`);
  const stored = store.rows(lane.id).filter((row) => row.seq <= end);
  if (stored.length !== end) problems.push(`I8: ${stored.length} rows below the end ${end}`);
  const told = (row: Entry | undefined): string =>
    row?.kind === "data" ? `${row.epoch} ${row.key}` : "no data";
  for (const [at, content] of acknowledged)
    if (at > end || told(stored[at - 1]) !== content) problems.push(`I8: seq ${at} was ${content}`);
  for (const { taken } of readers)
    if (JSON.stringify(taken) !== JSON.stringify(stored))
      problems.push(`I6: a reader took ${taken.length} of ${end}`);
  let reached = -1;
  for (const row of stored) {
    if (row.kind === "marker" ? row.epoch <= reached : row.epoch !== reached)
      problems.push(`I7: epoch ${row.epoch} behind ${reached} at ${row.seq}`);
    reached = row.epoch;
  }
  return { seed, acknowledged: acknowledged.size, problems };
}

it("I7 I8 R1 R2: what is acknowledged stays, in order, for every reader, whatever fails", async () => {
  let acknowledged = 0;
  for (let seed = 1; seed <= 16; seed += 1) {
    const result = await run(seed);
    acknowledged += result.acknowledged;
    expect(result.problems, `seed ${seed}`).toEqual([]);
  }
  expect(acknowledged).toBeGreaterThan(400);
}, 60_000);
