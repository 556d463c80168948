import { conductorId, modelId } from "@greco/domain/model";
import { StoreUnavailableError, type BindingStore, type ConductorLease } from "@greco/ports";
import { createLog } from "@greco/service-kit";
import { simulatedClock } from "@greco/simulation";
import { expect, it } from "vitest";
import { keepLease, lapsed, LeaseLapsedError, TakenOverError } from "./lease.ts";

const log = createLog({ service: "test", level: "silent" });

/** The lease side of a binding store, to be taken over, cut off, or to lose an answer. */
function leases() {
  let standing: ConductorLease = { incarnation: 1, count: 0 };
  const state = { down: false, losesAnswer: false, unreadable: false, renewals: 0 };
  const store: Pick<BindingStore, "renewConductor" | "readConductor"> = {
    renewConductor: async (_model, _conductor, lease) => {
      if (state.down) throw new StoreUnavailableError("cut off");
      if (lease.incarnation !== standing.incarnation || lease.count !== standing.count) return undefined;
      standing = { ...standing, count: standing.count + 1 };
      state.renewals += 1;
      if (state.losesAnswer) throw new StoreUnavailableError("the answer was lost");
      return standing;
    },
    readConductor: () =>
      state.unreadable ? Promise.reject(new StoreUnavailableError("cut off")) : Promise.resolve(standing),
  };
  const takeOver = (): void => void (standing = { incarnation: standing.incarnation + 1, count: 0 });
  return { state, takeOver, store: store as BindingStore };
}

function keep(of: ReturnType<typeof leases>) {
  const clock = simulatedClock();
  const ending = new AbortController();
  const conductor = conductorId("c");
  const options = { bindingStore: of.store, clock, log, model: modelId("m"), conductor, leaseMs: 900 };
  let ended: unknown;
  const kept = keepLease(options, { incarnation: 1, count: 0 }, ending.signal).catch((error: unknown) => {
    ended = error;
  });
  return { clock, ending, kept, ended: () => ended };
}

it("renews at a third of its time, and stops with its signal", async () => {
  const of = leases();
  const { clock, ending, kept, ended } = keep(of);
  await clock.advance(3_000);
  expect([of.state.renewals, ended()]).toEqual([10, undefined]);
  ending.abort(new Error("enough"));
  await kept;
  expect([ended(), clock.sleeping]).toEqual([new Error("enough"), 0]);
});

it("ends when another incarnation has taken over", async () => {
  const of = leases();
  const { clock, ended } = keep(of);
  await clock.advance(400);
  of.takeOver();
  await clock.advance(300);
  expect(ended()).toBeInstanceOf(TakenOverError);
});

it("goes on when only the answer to a renewal was lost", async () => {
  const of = leases();
  const { clock, ended } = keep(of);
  of.state.losesAnswer = true;
  await clock.advance(310);
  of.state.losesAnswer = false;
  await clock.advance(2_000);
  expect([ended(), of.state.renewals > 5]).toEqual([undefined, true]);
});

it("K3: ends after a whole lease without the store, so that nothing of it lands later", async () => {
  const of = leases();
  const { clock, ended } = keep(of);
  of.state.down = true;
  await clock.advance(890);
  expect(ended()).toBeUndefined();
  await clock.advance(20);
  expect(ended()).toBeInstanceOf(LeaseLapsedError);
});

it("is told lapsed after twice its time without a renewal, and by no outage of the store", async () => {
  const of = leases();
  const clock = simulatedClock();
  const { signal } = new AbortController();
  const options = {
    ...{ bindingStore: of.store, clock, log, model: modelId("m"), conductor: conductorId("c"), leaseMs: 900 },
  };
  const ending = new AbortController();
  const kept = keepLease(options, { incarnation: 1, count: 0 }, ending.signal).catch(() => undefined);
  let told: ConductorLease | undefined;
  const looking = lapsed(options, signal).then((lease) => (told = lease));
  await clock.advance(5_000);
  expect(told).toBeUndefined();
  ending.abort(new Error("it died"));
  await kept;
  await clock.advance(1_500);
  of.state.unreadable = true;
  await clock.advance(1_000);
  of.state.unreadable = false;
  await clock.advance(1_700);
  expect(told).toBeUndefined();
  await clock.advance(1_000);
  expect(await looking).toMatchObject({ incarnation: 1 });
  expect(clock.sleeping).toBe(0);
});
