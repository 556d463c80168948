import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { AbortCause, Phase } from "@greco/contracts/greco/commit/v1/commit";
import { Conductor_State } from "@greco/contracts/greco/conductor/v1/conductor";
import { type Conductor, startConductor } from "@greco/conductor-kit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { until, vetoesOf } from "../story.ts";
import { entity, MODEL, PARENT, stream, World } from "./world.ts";

const FIELDS = { n: { type: "number" } };

const routeKind = {
  parent: PARENT,
  kindId: "route",
  kind: {
    displayName: "Route",
    schemaJson: JSON.stringify({
      type: "object",
      required: ["to"],
      properties: { to: { type: "string" } },
    }),
  },
};

/** A team's own kind, and its own conductor, which has one opinion. */
const routes: Conductor = {
  name: "routes",
  kinds: ["route"],
  review(request) {
    const closed = request.affected.filter(
      (each) => (each.after?.spec as { to?: string } | undefined)?.to === "nowhere",
    );
    if (closed.length > 0) {
      return Promise.resolve({
        vote: "veto",
        findings: closed.map((each) => ({
          severity: "error",
          entity: each.key,
          fieldPath: "to",
          reason: "NO_SUCH_GATE",
          message: "there is no gate of this name",
          remedy: "give one that exists",
        })),
      });
    }
    return Promise.resolve({
      vote: "accept",
      claims: request.affected.map((each) => each.key),
      plan: { steps: [], prepareTimeMs: 0, cost: "" },
    });
  },
  prepare: (preparation) =>
    Promise.resolve(
      preparation.claimed.flatMap((each) =>
        each.after === undefined ? [] : [{ entity: each.identity, content: each.after.specJson }],
      ),
    ),
  release: () => Promise.resolve(),
  undo: () => Promise.resolve(),
  retire: () => Promise.resolve(),
};

const execute = promisify(execFile);
const GRECO = join(import.meta.dirname, "../../../../bin/greco.mjs");

/** The command line, as an admin of this world; what it writes to stdout. Rejects with what it says on stderr. */
async function run({ dev, signal }: World, args: readonly string[]): Promise<string> {
  const env = { ...process.env, GRECO_DATA: dev.dataDir, GRECO_MODEL: MODEL };
  return (await execute(process.execPath, [GRECO, ...args], { env, signal })).stdout;
}

const startRoutes = async (world: World) =>
  await startConductor(routes, await world.dev.conductorParts("routes"), {}, world.signal);

async function activeRoutes({ dev, signal }: World) {
  const { conductors } = await dev.clients("admin").conductors.listConductors({ model: PARENT }, { signal });
  return conductors.find(
    ({ name, state }) => name === "conductors/routes" && state === Conductor_State.ACTIVE,
  );
}

describe("a team's own kind and conductor join a model that lives", () => {
  let world: World;
  beforeAll(async () => {
    world = await World.start();
    await world.commit([stream("a", FIELDS)]);
    await world.dev.clients("admin").registry.createKind(routeKind, { signal: world.signal });
  });
  afterAll(() => world[Symbol.asyncDispose]());

  it("cannot be committed while no conductor claims it", async () => {
    const proposal = await world.commit([entity("route", "r", { to: "gate-1" })]);
    expect(proposal.abortCause).toBe(AbortCause.FAILED);
    expect([proposal.message, ...vetoesOf(proposal).map((veto) => veto.message)].join(" ")).toMatch(/claim/);
  });

  it("joins by a proposal without changes, votes from then on, and vetoes", async () => {
    await using _running = await startRoutes(world);
    const registered = await until(() => activeRoutes(world), world.signal);
    expect(registered.sinceVersion).toBe(2n);
    const joined = await world.dev
      .clients("viewer")
      .registry.getVersion({ name: `${PARENT}/versions/2` }, { signal: world.signal });
    expect(joined.changeCount).toBe(0n);

    const good = await world.commit([entity("route", "r", { to: "gate-1" })]);
    expect(good.version).toBe(3n);
    expect(good.voters.map((voter) => voter.conductor)).toContain("conductors/routes");
    const bad = await world.commit([entity("route", "r", { to: "nowhere" })]);
    expect(bad.abortCause).toBe(AbortCause.VETOED);
    expect(vetoesOf(bad)).toEqual([
      expect.objectContaining({
        conductor: "routes",
        entity: "route/r",
        fieldPath: "to",
        reason: "NO_SUCH_GATE",
      }),
    ]);
  });

  it("I11: an absent voter leads to an abort or is deregistered, never to a wedge", async () => {
    // `routes` is gone since the test before, and still has its vote.
    const draft = await world.draft([stream("b", FIELDS)]);
    const { commit, conductors } = world.dev.clients("admin");
    const waiting = await commit.makeItSo({ draft: draft.name, etag: draft.etag }, { signal: world.signal });
    await conductors.deregisterConductor(
      { name: "conductors/routes", model: PARENT, reason: "the team has left" },
      { signal: world.signal },
    );
    const aborted = await world.story("admin").outcome(waiting.name, world.signal);
    expect(aborted.version).toBe(0n);
    expect(aborted.committed).toBe(false);
    const again = await world.commit([stream("c", FIELDS)]);
    expect(again.version).toBe(4n);
    const { auditRecords } = await world.dev
      .clients("viewer")
      .registry.listAuditRecords({ parent: PARENT, pageSize: 100 }, { signal: world.signal });
    expect(
      auditRecords.some(
        (record) => record.method.endsWith("/DeregisterConductor") && record.reason === "the team has left",
      ),
    ).toBe(true);
  });
});

describe("a voter that is absent", () => {
  it("I11: lets the proposal expire, which all are told, and the next one goes on", async () => {
    await using world = await World.start();
    await world.dev.clients("admin").registry.createKind(routeKind, { signal: world.signal });
    expect((await world.commit([stream("a", FIELDS)])).version).toBe(1n);
    {
      await using _running = await startRoutes(world);
      await until(() => activeRoutes(world), world.signal);
    }
    // Nobody waits for a minute here; what is to be committed later gets the usual time again.
    await world.restart({ reviewMs: 1_000 });
    const proposal = (name: string) =>
      world.dev.clients("viewer").commit.getProposal({ name }, { signal: world.signal });
    const expired: string[] = [];
    for (const name of ["b", "c"]) {
      const aborted = await world.commit([stream(name, FIELDS)]);
      expect(aborted).toMatchObject({ committed: false, version: 0n, abortCause: AbortCause.EXPIRED });
      expect(aborted.message).toMatch(/no answer in time from .*routes/);
      // Who is there has taken back what it had begun; who is not is still owed the word.
      const told = await until(async () => {
        const { phase, voters } = await proposal(aborted.name);
        const waiting = voters.filter(({ settled }) => !settled).map(({ conductor }) => conductor);
        return waiting.length === 1 ? { phase, waiting } : undefined;
      }, world.signal);
      expect(told).toEqual({ phase: Phase.ABORTED, waiting: ["conductors/routes"] });
      expired.push(aborted.name);
    }

    await world.restart();
    await using _back = await startRoutes(world);
    const next = await world.commit([stream("d", FIELDS), entity("route", "r", { to: "gate-1" })]);
    expect(next).toMatchObject({ committed: true, version: 3n });
    for (const name of expired) {
      const settled = await until(async () => {
        const found = await proposal(name);
        return found.phase === Phase.SETTLED ? found : undefined;
      }, world.signal);
      expect(settled).toMatchObject({ committed: false, abortCause: AbortCause.EXPIRED });
      expect(settled.voters.filter((voter) => !voter.settled || voter.excused)).toEqual([]);
    }
    const { entities } = await world.dev
      .clients("viewer")
      .registry.listEntities({ parent: PARENT, pageSize: 10 }, { signal: world.signal });
    expect(entities.map((each) => each.name.split("/entities/")[1])).toEqual([
      "route/r",
      "stream/a",
      "stream/d",
    ]);
  });

  it("I11: whoever does not want to wait for it withdraws the proposal by hand, and the next one goes on", async () => {
    await using world = await World.start();
    const greco = (...args: string[]) => run(world, args);
    const absent = await world.dev.asConductor("absent");
    await absent.registerConductor(
      { name: "conductors/absent", model: PARENT, kinds: ["route"], incarnation: 1n },
      { signal: world.signal },
    );
    const { name: draft } = await world.draft([stream("a", FIELDS)]);
    const started = JSON.parse(await greco("make-it-so", draft, "-o", "json")) as { name: string };
    const withdrawn = await greco("proposal", "withdraw", started.name, "--reason", "not today");
    expect(withdrawn).toMatch(/phase +aborted \(withdrawn\)/);
    expect(withdrawn).toMatch(/why +withdrawn by admin: not today/);
    expect(await greco("proposal", "get", started.name)).toMatch(/phase +aborted \(withdrawn\)/);
    await expect(greco("proposal", "withdraw", started.name)).rejects.toThrow("[ALREADY_WITHDRAWN]");
    expect(await greco("history", "-o", "json")).toBe("[]\n");

    await greco("conductor", "deregister", "absent", "--reason", "nobody runs it");
    expect(await greco("proposal", "watch", started.name)).toMatch(/phase +aborted \(withdrawn\), settled/);
    expect(await greco("make-it-so", draft, "--wait")).toMatch(/phase +\w+ as version 1/);
  });
});
