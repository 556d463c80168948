// Hints of a busy lane to other processes: few messages, and the last hint is heard after the last append.
import { systemClock as clock } from "@greco/service-kit";
import { expect, it } from "vitest";
import { servers } from "../../../../tools/servers/for-tests.ts";
import { NATS_LIMITS } from "./limits.ts";
import { freshPrefix, noAbort, silent } from "./testing/setup.ts";
import { openNatsWake } from "./wake.ts";

it("tells other processes of many hints to one topic by few messages, and of the last one", async () => {
  await using nats = await servers.nats({}, noAbort);
  const options = { servers: nats.addresses, clock, log: silent, streamPrefix: freshPrefix() };
  await using here = await openNatsWake(options, noAbort);
  await using there = await openNatsWake(options, noAbort);
  let heard = 0;
  const first = Promise.withResolvers<void>();
  there.listen("lane.busy", () => {
    heard += 1;
    first.resolve();
  });
  // Until the subscription stands, hints are lost.
  const ready = first.promise.then(() => true);
  while (!(await Promise.race([ready, clock.sleep(5, noAbort).then(() => false)]))) here.notify("lane.busy");
  heard = 0;
  const began = performance.now();
  for (let hint = 0; hint < 500; hint += 1) {
    here.notify("lane.busy");
    await new Promise((resolve) => setImmediate(resolve));
  }
  const tookMs = performance.now() - began;
  // One at once, one at the end of each moment, and what was on its way.
  const most = 3 + Math.ceil(tookMs / NATS_LIMITS.wakeEveryMs);
  const before = heard;
  here.notify("lane.busy");
  await expect.poll(() => heard, { timeout: 10_000 }).toBeGreaterThan(before);
  expect(before).toBeLessThanOrEqual(most);
});
