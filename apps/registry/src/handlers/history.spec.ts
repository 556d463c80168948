import { expect, it } from "vitest";
import type { Candidate } from "@greco/contracts/greco/registry/v1/registry";
import { RegistryService } from "@greco/contracts/greco/registry/v1/registry";
import { createClient } from "@greco/sdk";
import {
  all,
  commit,
  createModel,
  draftOf,
  frozen,
  onStore,
  openRegistry,
  options,
  promoted,
  refusalOf,
  stream,
  type Specs,
  type TestRegistry,
} from "../testing/harness.ts";

const control = (registry: TestRegistry) => registry.as("control:coordinator");
const parent = "models/m";

async function candidateOf(registry: TestRegistry, specs: Specs): Promise<Candidate> {
  return await frozen(registry, "m", await draftOf(registry.as("ada"), "m", specs));
}

it("I3: keeps every version as it was committed, in a chain without gaps", async () => {
  await using registry = await openRegistry();
  const ada = registry.as("ada");
  await createModel(registry);
  const at: string[] = [];
  const contentOf = async (version: number): Promise<string> => {
    const parts = await all(
      ada.snapshot({ parent, view: { at: { case: "version", value: BigInt(version) } } }, options),
    );
    return JSON.stringify(
      parts.flatMap(({ entities }) =>
        entities.map(({ name, specJson, createdVersion }) => [name, specJson, Number(createdVersion)]),
      ),
    );
  };
  for (let n = 1; n <= 6; n++) {
    await commit(registry, "m", {
      "stream/a": stream(n),
      [`stream/b${n}`]: stream(),
      ...(n > 2 ? { [`stream/b${n - 1}`]: null } : {}),
    });
    at[n] = await contentOf(n);
  }
  await using replica = await registry.replica();
  for (let n = 1; n <= 6; n++) {
    expect(await contentOf(n)).toBe(at[n]);
    const version = await replica.as("ada").getVersion({ name: `${parent}/versions/${n}` }, options);
    expect([version.number, version.releaser, version.reason, version.author]).toEqual([
      BigInt(n),
      "rel",
      "test",
      "ada",
    ]);
  }
  const pages: bigint[] = [];
  let pageToken = "";
  do {
    const page = await ada.listVersions({ parent, pageSize: 4, pageToken }, options);
    pages.push(...page.versions.map(({ number }) => number));
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  expect(pages).toEqual([6n, 5n, 4n, 3n, 2n, 1n]);
  const { differences } = await replica
    .as("ada")
    .diffVersions({ parent, fromVersion: 2n, toVersion: 4n }, options);
  expect(differences.map(({ entity, kind }) => `${kind} ${entity.split("/").at(-1)}`)).toEqual([
    "2 a",
    "3 b2",
    "1 b4",
  ]);
  expect(await refusalOf(ada.getVersion({ name: `${parent}/versions/7` }, options))).toBe(
    "NOT_FOUND VERSION_NOT_FOUND",
  );
  const beyond = ada.diffVersions({ parent, fromVersion: 1n, toVersion: 9n }, options);
  expect(await refusalOf(beyond)).toBe("NOT_FOUND VERSION_NOT_FOUND");
});

it("restores an older version's content as a forward version", async () => {
  await using registry = await openRegistry();
  await createModel(registry);
  await commit(registry, "m", { "stream/a": stream(1), "stream/b": stream() });
  await commit(registry, "m", { "stream/a": stream(2), "stream/b": null, "stream/c": stream() });
  const restore = (version: bigint, proposalId: string) =>
    control(registry).freeze(
      { parent, source: { case: "restoreVersion", value: version }, proposalId, actor: "rel" },
      options,
    );
  const { candidate } = await restore(1n, "back");
  expect([candidate?.changeCount, candidate?.restoresVersion, candidate?.author]).toEqual([3n, 1n, "rel"]);
  await promoted(registry, "m", candidate as Candidate);
  const { entities } = await registry.as("ada").listEntities({ parent }, options);
  expect(entities.map(({ specJson, createdVersion }) => [specJson, createdVersion])).toEqual([
    ['{"lanes":1,"schema":true}', 1n],
    ['{"schema":true}', 3n],
  ]);
  expect(
    (await registry.as("ada").getVersion({ name: `${parent}/versions/3` }, options)).restoresVersion,
  ).toBe(1n);
  expect(await refusalOf(restore(1n, "again"))).toBe("FAILED_PRECONDITION NOTHING_TO_RESTORE");
  expect(await refusalOf(restore(9n, "none"))).toBe("NOT_FOUND VERSION_NOT_FOUND");
});

it("tells of who did what in the audit log, newest first, and never takes a line back", async () => {
  await using registry = await openRegistry();
  await createModel(registry);
  const candidate = await candidateOf(registry, { "stream/a": stream() });
  await promoted(registry, "m", candidate);
  const read = async () => {
    const lines: string[] = [];
    let pageToken = "";
    do {
      const page = await registry.as("ada").listAuditRecords({ parent, pageSize: 2, pageToken }, options);
      lines.push(
        ...page.auditRecords.map(
          ({ actor, method, outcome, resource }) => `${actor} ${method.split("/")[1]} ${outcome} ${resource}`,
        ),
      );
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
    return lines;
  };
  const lines = await read();
  const draft = lines.at(-2)?.split(" ").at(-1);
  expect(lines).toEqual([
    "rel Promote promoted models/m/versions/1",
    `rel Freeze frozen models/m/proposals/${candidate.id}`,
    `ada EditDraft edited ${draft}`,
    `ada CreateDraft created ${draft}`,
    "ada CreateModel created models/m",
  ]);
  const { name, etag } = await registry.as("ada").getDraft({ name: draft ?? "" }, options);
  await registry.as("ada").discardDraft({ name, etag }, options);
  expect((await read()).slice(1)).toEqual(lines);
});

it("waits for the version that a reader must see, on a replica that did not make it", async () => {
  await using registry = await openRegistry();
  await createModel(registry);
  {
    await using hasty = await onStore(registry.store, { limits: { minVersionWaitMs: 50 } });
    const read = all(hasty.as("control:reader").snapshot({ parent, view: { minVersion: 2n } }, options));
    expect(await refusalOf(read)).toBe("UNAVAILABLE VERSION_NOT_SEEN");
  }
  await using replica = await registry.replica();
  const bob = replica.as("control:reader");
  await commit(registry, "m", { "stream/a": stream() });
  const parts = await all(bob.snapshot({ parent, view: { minVersion: 1n } }, options));
  expect(parts.at(-1)?.version).toBe(1n);
  await commit(registry, "m", { "stream/b": stream() });
  const fresh = await all(bob.snapshot({ parent, view: { linearizable: true } }, options));
  expect(fresh.at(-1)?.version).toBe(2n);
  expect(
    await refusalOf(all(bob.snapshot({ parent, view: { at: { case: "version", value: 3n } } }, options))),
  ).toBe("NOT_FOUND VERSION_NOT_FOUND");
  const at = {
    case: "candidate",
    value: (await candidateOf(registry, { "stream/c": stream() })).id,
  } as const;
  expect(
    (await all(bob.snapshot({ parent, view: { at } }, options))).flatMap((part) => part.entities),
  ).toHaveLength(3);
  await using client = createClient(RegistryService, { address: replica.running.address, token: "eve" });
  expect(await refusalOf(client.getEntity({ name: "models/m/entities/stream/a" }, options))).toBe(
    "PERMISSION_DENIED MISSING_ROLE",
  );
});
