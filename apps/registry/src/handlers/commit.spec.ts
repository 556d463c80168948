import { expect, it } from "vitest";
import {
  all,
  commit,
  createModel,
  draftOf,
  frozen,
  openRegistry,
  options,
  promoted,
  query,
  stream,
} from "../testing/harness.ts";

it("makes a model, edits a draft, freezes and promotes it, and shows the version", async () => {
  await using registry = await openRegistry();
  const ada = registry.as("ada");
  const model = await ada.createModel({ modelId: "m", model: { displayName: "Flights" } }, options);
  expect([model.name, model.headVersion, model.displayName]).toEqual(["models/m", 0n, "Flights"]);

  const draft = await draftOf(ada, "m", {
    "stream/a": stream(),
    "stream/b": stream(2),
    "query/q": query("a", "b"),
  });
  const candidate = await frozen(registry, "m", draft, "p-1");
  expect([candidate.id, candidate.baseVersion, candidate.changeCount]).toEqual(["p-1", 0n, 3n]);
  expect(candidate.affected.map(({ entity }) => entity)).toEqual([
    "models/m/entities/query/q",
    "models/m/entities/stream/a",
    "models/m/entities/stream/b",
  ]);
  expect(candidate.scope).toEqual(["stream/a@1", "stream/b@1"]);
  const decision = await promoted(registry, "m", candidate);
  expect([decision.decidedNow, decision.refused, decision.candidate?.promotedVersion]).toEqual([
    true,
    "",
    1n,
  ]);

  expect((await ada.getModel({ name: "models/m" }, options)).headVersion).toBe(1n);
  const entity = await ada.getEntity({ name: "models/m/entities/stream/b" }, options);
  expect([entity.specJson, entity.createdVersion, entity.changedVersion]).toEqual([
    '{"lanes":2,"schema":true}',
    1n,
    1n,
  ]);
  const snapshot = await all(ada.snapshot({ parent: "models/m" }, options));
  expect(snapshot.flatMap(({ entities }) => entities.map(({ name }) => name))).toEqual(
    candidate.affected.map(({ entity: name }) => name),
  );
  expect(snapshot.at(-1)).toMatchObject({ last: true, version: 1n });
  expect(await commit(registry, "m", { "stream/c": stream() })).toBe(2);
  await createModel(registry, "other");
});
