import { AbortCause } from "@greco/contracts/greco/commit/v1/commit";
import { Conductor_State } from "@greco/contracts/greco/conductor/v1/conductor";
import { type Conductor, startConductor } from "@greco/conductor-kit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { until, vetoesOf } from "../story.ts";
import { entity, PARENT, stream, World } from "./world.ts";

const FIELDS = { n: { type: "number" } };

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

describe("a team's own kind and conductor join a model that lives", () => {
  let world: World;
  beforeAll(async () => {
    world = await World.start();
    await world.commit([stream("a", FIELDS)]);
    await world.dev.clients("admin").registry.createKind(
      {
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
      },
      { signal: world.signal },
    );
  });
  afterAll(() => world[Symbol.asyncDispose]());

  it("cannot be committed while no conductor claims it", async () => {
    const proposal = await world.commit([entity("route", "r", { to: "gate-1" })]);
    expect(proposal.abortCause).toBe(AbortCause.FAILED);
    expect([proposal.message, ...vetoesOf(proposal).map((veto) => veto.message)].join(" ")).toMatch(/claim/);
  });

  it("joins by a proposal without changes, votes from then on, and vetoes", async () => {
    await using running = await startConductor(
      routes,
      await world.dev.conductorParts("routes"),
      {},
      world.signal,
    );
    const { conductors } = world.dev.clients("admin");
    const registered = await until(async () => {
      const found = (
        await conductors.listConductors({ model: PARENT }, { signal: world.signal })
      ).conductors.find((each) => each.name === running.name);
      return found?.state === Conductor_State.ACTIVE ? found : undefined;
    }, world.signal);
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
