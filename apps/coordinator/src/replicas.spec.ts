/** Several coordinators on one store, and stores and networks that fail: nothing is decided twice, nothing gets stuck. */
import { expect, it } from "vitest";
import {
  AbortCause,
  CommitService,
  Confirmation_State,
  Phase,
} from "@greco/contracts/greco/commit/v1/commit";
import { ConductorService } from "@greco/contracts/greco/conductor/v1/conductor";
import { epoch, modelId } from "@greco/domain/model";
import {
  StoreUnavailableError,
  StoreUnknownError,
  type ControlLog,
  type CpStore,
  type LaneStore,
} from "@greco/ports";
import { GrecoError } from "@greco/sdk";
import { seededRandom } from "@greco/simulation";
import { acceptReady, bystander, claimsOf, type Script } from "./testing/conductor.ts";
import { eventually, options, signal, World } from "./testing/world.ts";

const claimsAll: Script = { review: (review) => acceptReady(claimsOf(review)) };

it("one of several drives; conductors and people may be connected to any", async () => {
  await using world = await World.open();
  await eventually(
    () => world.coordinator.driving,
    (driving) => driving,
  );
  const other = await world.replica();
  await world.model();
  const owner = await world.conductor("owner");
  const far = await world.conductor("far", bystander);
  owner.client = world.client(ConductorService, other.address, "conductor:owner");
  far.client = world.client(ConductorService, other.address, "conductor:far");
  const { draft, etag } = await world.draft("x");
  const people = world.client(CommitService, other.address, "rhea");
  const { name } = await people.makeItSo({ draft, etag }, options);
  expect(await world.settled(name)).toMatchObject({ committed: true, version: 1n });
  expect([world.coordinator.driving, other.driving]).toEqual([true, false]);
  const stranger = world.client(ConductorService, other.address, "conductor:stranger");
  const answer = { case: "settled", value: { committed: false } } as const;
  const refused = stranger.answerCommand(
    {
      conductor: "conductors/stranger",
      model: "models/m",
      incarnation: 1n,
      commandId: `${name.split("/").pop()}.settle`,
      answer,
    },
    options,
  );
  await expect(refused).rejects.toMatchObject({ code: "FAILED_PRECONDITION", reason: "NOT_REGISTERED" });
});

it("tells the place in the queue at a replica that does not drive as the driver does", async () => {
  await using world = await World.open();
  await eventually(
    () => world.coordinator.driving,
    (driving) => driving,
  );
  const other = await world.replica();
  await world.model();
  await world.conductor("silent", { review: () => undefined });
  const first = await world.makeItSo("x");
  await world.until(first.name, (proposal) => proposal.phase === Phase.PROPOSED);
  const names = [first.name, (await world.makeItSo("y")).name, (await world.makeItSo("z")).name];
  for (const address of [world.coordinator.address, other.address]) {
    const people = world.client(CommitService, address, "vera");
    const { proposals } = await people.listProposals({ parent: "models/m" }, options);
    const got = await Promise.all(names.map((name) => people.getProposal({ name }, options)));
    expect(got.map(({ phase }) => phase)).toEqual([Phase.PROPOSED, Phase.QUEUED, Phase.QUEUED]);
    expect(got.map(({ queuePosition }) => queuePosition)).toEqual([0, 1, 2]);
    expect(proposals.map(({ queuePosition }) => queuePosition)).toEqual([2, 1, 0]);
  }
});

it("plans at a replica that does not drive, answered at another one", async () => {
  await using world = await World.open();
  await eventually(
    () => world.coordinator.driving,
    (driving) => driving,
  );
  const other = await world.replica();
  await world.model();
  await world.conductor("owner", claimsAll);
  const { draft } = await world.draft("x");
  const people = world.client(CommitService, other.address, "ed");
  const cases: (string | undefined)[] = [];
  for await (const { part } of people.plan({ draft }, options)) {
    cases.push(part.case);
    if (part.case === "summary") expect(part.value).toMatchObject({ acceptable: true, silent: [] });
  }
  expect(cases).toEqual(["header", "conductor", "difference", "summary"]);
});

it("I15: no answer ends the drive: a plan's of another replica, a forged one, a broken record", async () => {
  await using world = await World.open();
  const driver = (): Promise<number | undefined> =>
    world.store.range({ key: "driver" }, {}, signal).then(({ entries }) => entries[0]?.createRevision);
  await eventually(
    () => world.coordinator.driving,
    (driving) => driving,
  );
  const since = await driver();
  await world.model();
  const owner = await world.conductor("owner", claimsAll);
  await owner.answer({ commandId: "plan.gone.x" }, acceptReady());
  const put = (key: string, value: string) =>
    world.store.transact({ compare: [], then: [{ type: "put", key, value: Buffer.from(value) }] }, signal);
  await put("answer/m/x.dance/owner/1-0", "");
  await put("answer/m/x.review/owner/1-0", "no message");
  expect(await world.settled((await world.makeItSo("x")).name)).toMatchObject({ committed: true });
  expect(world.coordinator.driving).toBe(true);
  expect(await driver()).toBe(since);
});

it("I2: two that drive at once decide nothing twice", async () => {
  await using world = await World.open();
  // As when a driver sleeps past its lease: it believes that it still drives.
  const forgetful = (store: CpStore): CpStore =>
    Object.assign(Object.create(store) as CpStore, {
      transact: (transaction: Parameters<CpStore["transact"]>[0], each: AbortSignal) =>
        transaction.then.some((operation) => operation.type === "put" && operation.key === "driver")
          ? Promise.resolve({ succeeded: true, revision: 1, responses: [] })
          : store.transact(transaction, each),
    });
  const other = await world.replica({ wrap: { store: forgetful } });
  await world.model();
  const owner = await world.conductor("owner");
  await world.conductor("far", bystander);
  await eventually(
    () => [world.coordinator.driving, other.driving],
    (both) => both.every((each) => each),
  );
  for (let version = 1; version <= 5; version += 1) {
    if (version === 3) owner.client = world.client(ConductorService, other.address, "conductor:owner");
    const settled = await world.settled((await world.makeItSo(`s${version}`)).name);
    expect(settled).toMatchObject({ committed: true, version: BigInt(version) });
  }
  const ledger = await world.laneStore.readLedger(modelId("m"), epoch(0), 10, signal);
  expect(ledger.map((entry) => entry.epoch)).toEqual([1, 2, 3, 4, 5]);
});

it("I11: another replica takes over what the driver leaves half done", async () => {
  await using world = await World.open();
  const driver = world.coordinator;
  await eventually(
    () => driver.driving,
    (driving) => driving,
  );
  const other = await world.replica();
  await world.model();
  const owner = await world.conductor("owner", { review: () => undefined });
  const { name } = await world.makeItSo("x");
  await world.until(name, (proposal) => proposal.phase === Phase.PROPOSED);
  await world.stopCoordinator();
  await eventually(
    () => other.driving,
    (driving) => driving,
  );
  owner.client = world.client(ConductorService, other.address, "conductor:owner");
  owner.script = claimsAll;
  const commit = world.client(CommitService, other.address, "vera");
  await eventually(
    () => commit.getProposal({ name }, options),
    (proposal) => proposal.phase === Phase.SETTLED && proposal.committed,
  );
});

it("takes the lead without a look at what has settled", async () => {
  await using world = await World.open();
  await world.model();
  const owner = await world.conductor("owner", claimsAll);
  for (const id of ["a", "b"]) await world.settled((await world.makeItSo(id)).name);
  owner.script = { review: () => undefined };
  const { name } = await world.makeItSo("c");
  await world.until(name, (proposal) => proposal.phase === Phase.PROPOSED);
  const { entries } = await world.store.range({ prefix: "open/" }, {}, signal);
  expect(entries.map(({ key }) => key)).toEqual([`open/m/${name.split("/").pop()}`]);
  await world.stopCoordinator();
  await world.startCoordinator();
  owner.client = world.as("conductor:owner").conductors;
  owner.script = claimsAll;
  expect(await world.settled(name)).toMatchObject({ committed: true, version: 3n });
  expect((await world.store.range({ prefix: "open/" }, {}, signal)).entries).toEqual([]);
});

it("I2: a revert whose freeze was not answered is found as it stands, and made once", async () => {
  const reached: string[] = [];
  let lost = 0;
  await using world = await World.open({
    limits: { intervalMs: 100 },
    failpoint: (name) => {
      if (name.startsWith("commit.revert.")) reached.push(name);
      return Promise.resolve();
    },
    wrap: {
      registry: (client) => ({
        ...client,
        freeze: async (request, call) => {
          const frozen = await client.freeze(request, call);
          if (request.source?.case !== "restoreVersion" || (lost += 1) > 1) return frozen;
          throw new GrecoError({ ...nothing, code: "DEADLINE_EXCEEDED", message: "too late" });
        },
      }),
    },
  });
  await world.model();
  await world.conductor("owner", claimsAll);
  const { name } = await world.makeItSo("x", { confirmWithin: { seconds: 1n } });
  expect(await world.settled(name)).toMatchObject({ confirmation: { state: Confirmation_State.REVERTED } });
  expect(await world.head()).toBe(2);
  expect(lost).toBe(1);
  // Found as it stands, it is not begun a second time.
  expect(reached).toEqual(["commit.revert.before"]);
});

it("I2: an answer of the registry that gets lost is read back before anybody is told", async () => {
  let lost = 0;
  await using world = await World.open({
    wrap: {
      registry: (client) => ({
        ...client,
        promote: async (request, call) => {
          const answer = await client.promote(request, call);
          if ((lost += 1) > 1) return answer;
          throw new GrecoError({ ...nothing, code: "UNAVAILABLE", message: "connection lost" });
        },
        discard: async (request, call) => {
          const answer = await client.discard(request, call);
          if ((lost += 1) > 1) return answer;
          throw new GrecoError({ ...nothing, code: "DEADLINE_EXCEEDED", message: "too late" });
        },
      }),
    },
  });
  await world.model();
  const owner = await world.conductor("owner", claimsAll);
  expect(await world.settled((await world.makeItSo("x")).name)).toMatchObject({
    committed: true,
    version: 1n,
  });
  expect(
    owner.told("settle").every(({ command }) => command.case === "settle" && command.value.committed),
  ).toBe(true);
  lost = 0;
  owner.script = { review: () => ({ case: "veto", value: { findings: [{ reason: "NO", message: "no" }] } }) };
  expect(await world.settled((await world.makeItSo("y")).name)).toMatchObject({
    abortCause: AbortCause.VETOED,
  });
  expect(lost).toBeGreaterThan(0);
});

const nothing = { reason: "", violations: [], preconditions: [], metadata: {}, retryAfterMs: undefined };

it("I11: stores, log and ledger that fail now and then delay a commit, and no more", async () => {
  const random = seededRandom(11);
  const now = (every: number): boolean => random.chance(1 / every);
  const shaky = (store: CpStore): CpStore =>
    Object.assign(Object.create(store) as CpStore, {
      transact: async (transaction: Parameters<CpStore["transact"]>[0], each: AbortSignal) => {
        const ours = transaction.then.some(
          (operation) => operation.type === "put" && operation.key.startsWith("proposal/"),
        );
        if (ours && now(3)) throw new StoreUnavailableError("not now");
        const result = await store.transact(transaction, each);
        if (ours && now(4)) throw new StoreUnknownError("perhaps");
        return result;
      },
    });
  const lossy = (log: ControlLog): ControlLog =>
    Object.assign(Object.create(log) as ControlLog, {
      publish: (...args: Parameters<ControlLog["publish"]>) =>
        now(2) ? Promise.reject(new StoreUnavailableError("no log")) : log.publish(...args),
    });
  const slow = (store: LaneStore): LaneStore =>
    Object.assign(Object.create(store) as LaneStore, {
      appendLedger: (...args: Parameters<LaneStore["appendLedger"]>) =>
        now(2) ? Promise.reject(new StoreUnavailableError("no quorum")) : store.appendLedger(...args),
    });
  await using world = await World.open({ wrap: { store: shaky, controlLog: lossy, laneStore: slow } });
  await world.model();
  await world.conductor("owner");
  await world.conductor("other", bystander);
  for (let version = 1; version <= 6; version += 1)
    expect(await world.settled((await world.makeItSo(`s${version}`)).name)).toMatchObject({
      committed: true,
      version: BigInt(version),
    });
  const ledger = await world.laneStore.readLedger(modelId("m"), epoch(0), 10, signal);
  expect(ledger.map((entry) => entry.epoch)).toEqual([1, 2, 3, 4, 5, 6]);
});

it("I5: a ledger that lost its newest entries gets them back before the next, from the records", async () => {
  let forget = false;
  const short = (store: LaneStore): LaneStore =>
    Object.assign(Object.create(store) as LaneStore, {
      appendLedger: (...args: Parameters<LaneStore["appendLedger"]>) =>
        forget ? Promise.resolve() : store.appendLedger(...args),
    });
  await using world = await World.open({ wrap: { laneStore: short } });
  await world.model();
  await world.conductor("owner");
  await world.settled((await world.makeItSo("a")).name);
  forget = true;
  for (const id of ["b", "c"]) await world.settled((await world.makeItSo(id)).name);
  forget = false;
  await world.stopCoordinator();
  await world.startCoordinator();
  await world.conductor("owner", { incarnation: 2 });
  await world.settled((await world.makeItSo("d")).name);
  const ledger = await world.laneStore.readLedger(modelId("m"), epoch(0), 10, signal);
  expect(ledger.map((entry) => [entry.epoch, entry.bindings[0]?.entity])).toEqual([
    [1, "stream/a@1"],
    [2, "stream/b@2"],
    [3, "stream/c@3"],
    [4, "stream/d@4"],
  ]);
});

it("leaves nothing open, however often it is disposed", async () => {
  await using world = await World.open();
  const { coordinator } = world;
  await eventually(
    () => coordinator.driving,
    (driving) => driving,
  );
  await Promise.all([coordinator[Symbol.asyncDispose](), coordinator[Symbol.asyncDispose]()]);
  await coordinator[Symbol.asyncDispose]();
  expect(coordinator.driving).toBe(false);
  const { entries } = await world.store.range({ key: "driver" }, {}, signal);
  expect(entries).toEqual([]);
});
