/**
 * The checks without quorum (DESIGN §3): each spec by its kind, no dangling reference, no delete of what is referred
 * to, no cycle in the flow of data. Costs what changes and what it reaches.
 */
import type { ChangeSet } from "./change-set.ts";
import { finding, type Finding } from "./finding.ts";
import { cyclesFrom, type Graphs } from "./graph.ts";
import { isSegment } from "./ids.ts";
import type { JsonObject } from "./json.ts";
import type { Kind, Kinds } from "./kind.ts";
import { CYCLES_TOLD_MAX, REFERENCES_MAX, REFERRERS_TOLD_MAX } from "./limits.ts";
import { namesIn } from "./references.ts";
import { kindOf, referrersOf, type ModelState } from "./state.ts";

/** What schema and rules of a kind say of one spec. Expressions are not pure domain, so it is passed in. */
export type SpecCheck = (kind: Kind, key: string, spec: JsonObject) => readonly Finding[];

/** Entities that every model has without anybody having made them. */
export const BUILT_IN_ENTITIES: ReadonlySet<string> = new Set(["stream/epochs", "stream/dead-letters"]);

/** All findings of a change set. `after` is `before` with the changes applied. */
export function checkChanges(
  graphs: Graphs,
  changes: ChangeSet,
  kinds: Kinds,
  checkSpec: SpecCheck,
): readonly Finding[] {
  const findings: Finding[] = [];
  const put: string[] = [];
  for (const [key, change] of changes.entries()) {
    if (change.action === "delete") findings.push(...checkDelete(graphs.after, key));
    else {
      put.push(key);
      findings.push(...checkEntity(graphs, key, change.specJson, kinds, checkSpec));
    }
  }
  return [...findings, ...checkCycles(graphs.after, put)];
}

/** Findings of one entity that is put, as it stands in `after`: its spec, and what it refers to. */
export function checkEntity(
  { before, after }: Graphs,
  key: string,
  specJson: string,
  kinds: Kinds,
  checkSpec: SpecCheck,
): readonly Finding[] {
  const kind = kinds.get(kindOf(key));
  if (kind === undefined)
    return [
      finding(key, "UNKNOWN_KIND", `there is no kind ${kindOf(key)} in this model`, "create the kind first"),
    ];
  const spec = JSON.parse(specJson) as JsonObject;
  const findings = [...checkSpec(kind, key, spec)];
  for (const { path, name } of namesIn(kind, spec))
    if (!isSegment(name))
      findings.push(
        finding(
          key,
          "INVALID_REFERENCE",
          `${path} names ${JSON.stringify(name.slice(0, 80))}, which is no entity name`,
          "write the bare name of an entity, [a-z0-9-]{1,63}",
          { fieldPath: path },
        ),
      );
  const references = after.entities.get(key)?.references ?? [];
  if (references.length > REFERENCES_MAX)
    findings.push(
      finding(
        key,
        "TOO_MANY_REFERENCES",
        `${key} refers to ${references.length} entities; at most ${REFERENCES_MAX} are allowed`,
        "split the entity",
      ),
    );
  for (const { target, path } of references) {
    if (!after.entities.has(target))
      findings.push(danglingReference(key, target, path, before.entities.has(target)));
  }
  return findings;
}

function danglingReference(key: string, target: string, path: string, deleted: boolean): Finding {
  if (BUILT_IN_ENTITIES.has(target))
    return finding(
      key,
      "BUILT_IN_REFERENCE",
      `${path} names ${target}, which is built in and belongs to the data plane`,
      "subscribe to it from a program instead; entities cannot refer to it",
      { fieldPath: path },
    );
  return finding(
    key,
    "UNKNOWN_REFERENCE",
    `${path} refers to ${target}, which ${deleted ? "the same draft deletes" : "does not exist"}`,
    deleted ? `keep ${target}, or change ${path}` : `create ${target} in the same draft, or correct the name`,
    { fieldPath: path },
  );
}

/** Somebody still refers to what is deleted: says who. */
export function checkDelete(after: ModelState, key: string): readonly Finding[] {
  const referrers = referrersOf(after, key)
    .take(REFERRERS_TOLD_MAX + 1)
    .map(({ source }) => source)
    .toArray();
  if (referrers.length === 0) return [];
  const told = referrers.slice(0, REFERRERS_TOLD_MAX).join(", ");
  const more = referrers.length > REFERRERS_TOLD_MAX ? " and others" : "";
  return [
    finding(
      key,
      "DELETE_OF_REFERENCED",
      `${key} is deleted, but still referred to by ${told}${more}`,
      "change or delete what refers to it in the same draft",
    ),
  ];
}

/** Cycles of the flow of data through what is put, each named once. Looks at `visitsMax` entities at most. */
export function checkCycles(
  after: ModelState,
  put: Iterable<string>,
  visitsMax = Number.POSITIVE_INFINITY,
): readonly Finding[] {
  return cyclesFrom(after, put, CYCLES_TOLD_MAX, visitsMax).map((cycle) =>
    finding(
      cycle[0],
      "CYCLE",
      `data would flow in a circle: ${[...cycle, cycle[0]].join(" → ")}`,
      "take one of these references away",
    ),
  );
}
