/** kill -9 at every step of a commit, and a start anew: the proposal is decided, once, and everything comes to its end. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createServer, type AddressInfo } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { expect, it } from "vitest";
import { Confirmation_State, Phase, type Proposal } from "@greco/contracts/greco/commit/v1/commit";
import { keys } from "@greco/control-kit";
import { epoch, modelId } from "@greco/domain/model";
import { systemClock } from "@greco/service-kit";
import { COORDINATOR_LIMITS } from "./limits.ts";
import { ProposalStore } from "./store/proposal-store.ts";
import { bystander } from "./testing/conductor.ts";
import { eventually, options, signal, World } from "./testing/world.ts";

type Child = AsyncDisposable & { readonly process: ChildProcess; readonly ended: Promise<unknown> };

async function start(world: World, port: number, failpoint: string): Promise<Child> {
  const script = join(import.meta.dirname, "testing", "coordinator-child.ts");
  const child = spawn(process.execPath, [script, world.dir, world.registryAddress, String(port)], {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, GRECO_FAILPOINT: failpoint },
  });
  const ended = once(child, "exit");
  const ready = once(createInterface({ input: child.stdout }), "line");
  await Promise.race([
    ready,
    ended.then(() => Promise.reject(new Error("the coordinator died at its start"))),
  ]);
  const stop = async (): Promise<void> => {
    child.kill("SIGKILL");
    await ended;
  };
  return { process: child, ended, [Symbol.asyncDispose]: stop };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

/** Runs a coordinator that dies at `failpoint`, and what brings it there. */
async function survive(
  world: World,
  port: number,
  failpoint: string,
  use: () => Promise<void>,
): Promise<void> {
  await using first = await start(world, port, failpoint);
  const over = new AbortController();
  const used = use();
  await Promise.race([first.ended, passedBy(world, failpoint, used, over.signal)]);
  over.abort(new Error("it was reached"));
  await used;
  expect(first.process.signalCode).toBe("SIGKILL");
  // The dead one leads no more, as when its lease has lapsed: the lease outlasts any pause of the machine.
  await world.store.transact(
    { compare: [], then: [{ type: "delete", range: { key: keys.driver() } }] },
    signal,
  );
}

/** Long after it was due: the process would have died in an instant. */
const DUE_MS = 10_000;

/** Rejects if all is settled, or use has failed, and the process still lives: waiting on would hide why. */
async function passedBy(
  world: World,
  failpoint: string,
  used: Promise<void>,
  over: AbortSignal,
): Promise<never> {
  await used;
  const proposals = new ProposalStore(world.store, COORDINATOR_LIMITS);
  await eventually(
    async () => over.aborted || (await proposals.open(signal)).open.length === 0,
    (settled) => settled,
    100_000,
  );
  await systemClock.sleep(DUE_MS, over);
  throw new Error(`${failpoint} was not reached, and everything is settled`);
}

async function only(world: World): Promise<Proposal | undefined> {
  const { proposals } = await world.as("vera").commit.listProposals({ parent: "models/m" }, options);
  return proposals.find((proposal) => proposal.draft !== "");
}

async function ledgerOf(world: World): Promise<number[]> {
  const entries = await world.laneStore.readLedger(modelId("m"), epoch(0), 10, signal);
  return entries.map((entry) => entry.epoch);
}

it.concurrent.each([
  "commit.freeze.after",
  "commit.propose.before",
  "commit.propose.after",
  "commit.accepted",
  "commit.prepare.announced",
  "commit.promote.before",
  "commit.promote.after",
  "commit.ledger.before",
  "commit.ledger.after",
  "commit.settle.before",
  "commit.settle.after",
])("I2 I11: killed at %s, the commit comes to its end", async (failpoint) => {
  await using world = await World.open({ coordinator: false });
  const port = await freePort();
  world.address = `127.0.0.1:${port}`;
  await world.model();
  await survive(world, port, `${failpoint}:kill`, async () => {
    await world.conductor("owner");
    await world.conductor("other", bystander);
    // Its answer may die with the coordinator: what counts is what was made durable.
    await world.makeItSo("x").catch(() => undefined);
  });
  await using _again = await start(world, port, "");
  const settled = await eventually(
    () => only(world),
    (proposal) => proposal?.phase === Phase.SETTLED,
    20_000,
  );
  expect(settled).toMatchObject({ committed: true, version: 1n });
  expect([await world.head(), await ledgerOf(world)]).toEqual([1, [1]]);
  // The slot is free: the next one goes through.
  expect(await world.settled((await world.makeItSo("y")).name)).toMatchObject({
    committed: true,
    version: 2n,
  });
  expect(await ledgerOf(world)).toEqual([1, 2]);
});

it.concurrent.each(["commit.confirm.before", "commit.confirm.after"])(
  "I2: killed at %s, a confirmation is made or not, and decided once",
  async (failpoint) => {
    await using world = await World.open({ coordinator: false });
    const port = await freePort();
    world.address = `127.0.0.1:${port}`;
    await world.model();
    await survive(world, port, `${failpoint}:kill`, async () => {
      await world.conductor("owner");
      const { name } = await world.makeItSo("x", { confirmWithin: { seconds: 60n } });
      await world.until(name, (proposal) => proposal.phase === Phase.MARKED);
      await world
        .as("rhea")
        .commit.confirmProposal({ name }, options)
        .catch(() => undefined);
    });
    await using _again = await start(world, port, "");
    const { name, confirmation } = (await only(world)) as Proposal;
    expect(confirmation?.state).toBe(
      failpoint.endsWith("after") ? Confirmation_State.CONFIRMED : Confirmation_State.ARMED,
    );
    if (confirmation?.state === Confirmation_State.ARMED)
      await world.as("rhea").commit.confirmProposal({ name }, options);
    expect(await world.settled(name)).toMatchObject({
      confirmation: { state: Confirmation_State.CONFIRMED },
    });
    expect(await world.head()).toBe(1);
  },
);

it.concurrent.each(["commit.revert.before", "commit.revert.after"])(
  "I2 I11: killed at %s, what was not confirmed is reverted, once",
  async (failpoint) => {
    await using world = await World.open({ coordinator: false });
    const port = await freePort();
    world.address = `127.0.0.1:${port}`;
    await world.model();
    await survive(world, port, `${failpoint}:kill`, async () => {
      await world.conductor("owner");
      const { name } = await world.makeItSo("x", { confirmWithin: { seconds: 1n } });
      await world.until(name, (proposal) => proposal.phase === Phase.MARKED).catch(() => undefined);
    });
    await using _again = await start(world, port, "");
    const { name } = (await only(world)) as Proposal;
    expect(await world.settled(name)).toMatchObject({ confirmation: { state: Confirmation_State.REVERTED } });
    expect([await world.head(), await ledgerOf(world)]).toEqual([2, [1, 2]]);
  },
);
