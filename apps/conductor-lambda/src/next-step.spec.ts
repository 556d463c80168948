import { modelId, type EntityIdentity } from "@greco/domain/model";
import { describe, expect, it } from "vitest";
import { contentHashOf } from "./function-config.ts";
import { tagsOf, type Owner } from "./function-name.ts";
import { nextStep, nothingSeen, type Seen, type Step, type Wanted } from "./next-step.ts";
import type { FunctionFacts, ProvisionedFacts, VersionFacts } from "./region.ts";

const owner: Owner = { prefix: "greco", model: modelId("m"), entity: "query/late@1" as EntityIdentity };
const config = {
  memoryMb: 256,
  timeoutSeconds: 30,
  environment: {},
  role: "r",
  architecture: "x86_64",
  runtime: "nodejs22.x",
  handler: "index.handler",
};
const wanted: Wanted = {
  owner,
  config,
  codeSha256: "new",
  contentHash: contentHashOf("new", config),
  reserved: undefined,
  provisioned: undefined,
  concurrency: "raise",
};
const latest: FunctionFacts = {
  arn: "arn:f",
  codeSha256: "new",
  config,
  revisionId: "r1",
  state: "Active",
  reason: "why",
  lastUpdate: "Successful",
  lastUpdateReason: "because",
  tags: tagsOf(owner),
  reserved: undefined,
};
const old: VersionFacts = { version: "1", arn: "arn:f:1", codeSha256: "old", config };
const right: VersionFacts = { version: "2", arn: "arn:f:2", codeSha256: "new", config };
const there = (more: Partial<Seen>): Seen => ({ ...nothingSeen, latest, versions: [old], ...more });
const ready = (more: Partial<Seen> = {}): Seen =>
  there({ versions: [old, right], version: { ...latest, revisionId: "v2" }, ...more });
const provisioned = (status: ProvisionedFacts["status"], requested = 2): ProvisionedFacts => ({
  requested,
  status,
  reason: "no capacity",
});

type Row = readonly [string, Partial<Wanted>, Seen, Partial<Step>];

/** One row for each way through the decision; `Seen` cannot say anything that has none. */
const rows: readonly Row[] = [
  ["nothing seen", {}, nothingSeen, { do: "look" }],
  ["not there", {}, { ...nothingSeen, latest: "absent" }, { do: "create" }],
  [
    "made, and not to be seen yet",
    {},
    { ...nothingSeen, latest: "absent", created: true },
    { do: "wait", then: "look" },
  ],
  [
    "others' tags, whatever else",
    {},
    ready({ latest: { ...latest, tags: { team: "x" } } }),
    { do: "fail", reason: "FOREIGN_FUNCTION" },
  ],
  ["versions not listed", {}, there({ versions: "unknown" }), { do: "listVersions" }],
  ["being made", {}, there({ latest: { ...latest, state: "Pending" } }), { do: "wait", then: "look" }],
  [
    "could not be made",
    {},
    there({ latest: { ...latest, state: "Failed" } }),
    { do: "fail", reason: "FUNCTION_FAILED", message: "AWS could not make it: why" },
  ],
  [
    "being updated",
    {},
    there({ latest: { ...latest, lastUpdate: "InProgress" } }),
    { do: "wait", then: "look" },
  ],
  [
    "our own update failed",
    {},
    there({ latest: { ...latest, lastUpdate: "Failed" }, updated: true }),
    { do: "fail", reason: "FUNCTION_FAILED", message: "AWS could not update it: because" },
  ],
  [
    "an update before us failed",
    {},
    there({ latest: { ...latest, lastUpdate: "Failed" } }),
    { do: "updateConfiguration", revisionId: "r1" },
  ],
  [
    "another configuration, and other code",
    {},
    there({ latest: { ...latest, codeSha256: "x", config: { ...config, memoryMb: 1 } } }),
    { do: "updateConfiguration", revisionId: "r1" },
  ],
  [
    "other code",
    {},
    there({ latest: { ...latest, codeSha256: "x" } }),
    { do: "updateCode", revisionId: "r1" },
  ],
  [
    "another architecture, which goes with the code",
    {},
    there({ latest: { ...latest, config: { ...config, architecture: "arm64" } } }),
    { do: "updateCode", revisionId: "r1" },
  ],
  [
    "idle for long, which is no obstacle",
    {},
    there({ latest: { ...latest, state: "Inactive" } }),
    { do: "publish", revisionId: "r1" },
  ],
  ["all as it is to be, not published", {}, there({}), { do: "publish", revisionId: "r1" }],
  [
    "a version has it, whatever $LATEST has and does",
    {},
    there({ versions: [old, right], latest: { ...latest, codeSha256: "x", lastUpdate: "InProgress" } }),
    { do: "lookAtVersion", version: "2" },
  ],
  [
    "the version is being activated",
    {},
    ready({ version: { ...latest, state: "Pending" } }),
    { do: "wait", then: "lookAtVersion" },
  ],
  [
    "the version could not be activated",
    {},
    ready({ version: { ...latest, state: "Failed" } }),
    { do: "fail", reason: "FUNCTION_FAILED" },
  ],
  ["the version is ready", {}, ready(), { do: "done", version: "2", arn: "arn:f:2" }],
  [
    "more is to be reserved",
    { reserved: 9 },
    ready({ latest: { ...latest, reserved: 5 } }),
    { do: "raiseReserved", to: 9 },
  ],
  [
    "no more is to be reserved, which is the account's pool",
    {},
    ready({ latest: { ...latest, reserved: 5 } }),
    { do: "raiseReserved", to: undefined },
  ],
  [
    "less is to be reserved: behind the crossing",
    { reserved: 3 },
    ready({ latest: { ...latest, reserved: 5 } }),
    { do: "done" },
  ],
  ["something is to be reserved where the pool was", { reserved: 3 }, ready(), { do: "done" }],
  [
    "the same, and nobody runs it yet",
    { reserved: 3, concurrency: "set" },
    ready({ versions: [right] }),
    { do: "raiseReserved", to: 3 },
  ],
  [
    "the same, and its only version is in force",
    { reserved: 3 },
    ready({ versions: [right] }),
    { do: "done" },
  ],
  [
    "the same, and an older version is there of when it ran here before",
    { reserved: 3, concurrency: "set" },
    ready(),
    { do: "done" },
  ],
  [
    "made again, whatever it asks for",
    { reserved: 9, provisioned: 2, concurrency: "leave" },
    ready({ latest: { ...latest, reserved: 5 } }),
    { do: "done" },
  ],
  ["warm ones not looked at", { provisioned: 2 }, ready(), { do: "lookAtProvisioned", version: "2" }],
  [
    "none is warm",
    { provisioned: 2 },
    ready({ provisioned: "none" }),
    { do: "provision", version: "2", count: 2 },
  ],
  [
    "too few are warm",
    { provisioned: 2 },
    ready({ provisioned: provisioned("READY", 1) }),
    { do: "provision", version: "2", count: 2 },
  ],
  [
    "they are being started",
    { provisioned: 2 },
    ready({ provisioned: provisioned("IN_PROGRESS") }),
    { do: "wait", then: "lookAtProvisioned" },
  ],
  [
    "they could not be started",
    { provisioned: 2 },
    ready({ provisioned: provisioned("FAILED"), provided: true }),
    { do: "fail", reason: "PROVISIONING_FAILED" },
  ],
  [
    "they could not be started before this run",
    { provisioned: 2 },
    ready({ provisioned: provisioned("FAILED") }),
    { do: "provision", version: "2", count: 2 },
  ],
  ["they are warm", { provisioned: 2 }, ready({ provisioned: provisioned("READY") }), { do: "done" }],
  [
    "more than that are warm: behind the crossing",
    { provisioned: 1 },
    ready({ provisioned: provisioned("READY") }),
    { do: "done" },
  ],
];

describe("the next step", () => {
  it.each(rows)("%s", (_title, more, seen, step) => {
    expect(nextStep({ ...wanted, ...more }, seen)).toMatchObject(step);
  });

  it("S1: is no write, whatever is seen, until the tags were seen to be ours; but a create", () => {
    const writes = new Set(["updateConfiguration", "updateCode", "publish", "raiseReserved", "provision"]);
    for (const [title, more, seen] of rows)
      for (const tags of [{}, { ...tagsOf(owner), "greco:entity": "query/late@2" }]) {
        const foreign: Seen =
          typeof seen.latest === "string" ? seen : { ...seen, latest: { ...seen.latest, tags } };
        expect(writes.has(nextStep({ ...wanted, ...more }, foreign).do), title).toBe(false);
      }
  });

  it("S2: is no publish where a version has the content", () => {
    for (const [title, more, seen] of rows)
      if (seen.versions !== "unknown" && seen.versions.includes(right))
        expect(nextStep({ ...wanted, ...more }, seen).do, title).not.toBe("publish");
  });

  it("has a row for each thing that can be done", () => {
    const all: readonly Step["do"][] = [
      "create",
      "done",
      "fail",
      "listVersions",
      "look",
      "lookAtProvisioned",
      "lookAtVersion",
      "provision",
      "publish",
      "raiseReserved",
      "updateCode",
      "updateConfiguration",
      "wait",
    ];
    expect([...new Set(rows.map(([, , , step]) => step.do))].toSorted()).toEqual(all);
  });
});
