// The registry as a process, killed at each failpoint of freeze and of the decision, and started again on what it left.
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { Candidate_State, RegistryService } from "@greco/contracts/greco/registry/v1/registry";
import { createClient, type Client } from "@greco/sdk";
import { createDevKeys, systemClock, type DevKeys } from "@greco/service-kit";
import { afterAll, beforeAll, expect, it } from "vitest";
import { changesOf, options, type Specs } from "./testing/harness.ts";

type Process = AsyncDisposable & {
  readonly ended: Promise<string>;
  as(token: string): Client<typeof RegistryService>;
};

let dir: string;
let keys: DevKeys;
let tokens: { readonly ada: string; readonly control: string };

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "greco-kill-"));
  keys = await createDevKeys(join(dir, "keys"), systemClock);
  tokens = {
    ada: await keys.issue({ subject: "ada" }),
    control: await keys.issue({ subject: "coordinator", service: { kind: "control", name: "coordinator" } }),
  };
});
afterAll(() => rm(dir, { recursive: true, force: true }));

async function start(data: string, failpoint = ""): Promise<Process> {
  const child = spawn(
    process.execPath,
    [
      join(import.meta.dirname, "main.ts"),
      "--data",
      data,
      "--keys",
      keys.keysFile,
      "--listen",
      "127.0.0.1:0",
      "--connect",
      "127.0.0.1:0",
    ],
    { env: { ...process.env, GRECO_FAILPOINT: failpoint }, stdio: ["ignore", "pipe", "pipe"] },
  );
  const ended = once(child, "exit").then(([code, name]) => String(name ?? code));
  const address = await addressOf(child, ended);
  const clients = new AsyncDisposableStack();
  return {
    ended,
    as: (token) =>
      clients.use(
        createClient(RegistryService, { address, token, deadlineMs: 20_000, reads: { attempts: 1 } }),
      ),
    async [Symbol.asyncDispose]() {
      await clients.disposeAsync();
      child.kill("SIGTERM");
      await ended;
    },
  };
}

async function addressOf(child: ChildProcess, ended: Promise<string>): Promise<string> {
  const lines: string[] = [];
  const found = Promise.withResolvers<string>();
  for (const stream of [child.stdout, child.stderr])
    if (stream !== null)
      createInterface({ input: stream }).on("line", (line) => {
        lines.push(line);
        const address = /"address":"([^"]+)"/.exec(line)?.[1];
        if (line.includes("registry.started") && address !== undefined) found.resolve(address);
      });
  const died = ended.then((how) =>
    Promise.reject(new Error(`the registry ended (${how}): ${lines.join("\n")}`)),
  );
  died.catch(() => undefined);
  return await Promise.race([found.promise, died]);
}

/** Larger than one chunk, so that a freeze takes several transactions. */
const large: Specs = Object.fromEntries(
  Array.from({ length: 40 }, (_, n) => [`stream/s${n}`, { schema: { description: "x".repeat(60_000) } }]),
);
const parent = "models/m";

async function prepared(registry: Process): Promise<{ name: string; etag: string }> {
  const ada = registry.as(tokens.ada);
  await ada.createModel({ modelId: "m" }, options);
  const { name, etag } = await ada.createDraft({ parent, draftId: "d" }, options);
  const { draft } = await ada.editDraft({ name, etag, changes: changesOf("m", large) }, options);
  return { name, etag: draft?.etag ?? "" };
}

const freeze = (registry: Process, draft: { name: string; etag: string }) =>
  registry.as(tokens.control).freeze(
    {
      parent,
      source: { case: "draft", value: draft.name },
      etag: draft.etag,
      proposalId: "p",
      requestId: "r",
      actor: "ada",
      proposalRecord: new Uint8Array([1]),
    },
    options,
  );

for (const step of ["opened", "between", "before-seal", "after-seal"])
  it(`I2, I15: killed at registry.freeze.${step}, a freeze is made once by its repeat, and the draft is as it was`, async () => {
    const data = join(dir, `freeze-${step}`);
    let draft: { name: string; etag: string };
    {
      await using registry = await start(data, `registry.freeze.${step}:kill`);
      draft = await prepared(registry);
      await expect(freeze(registry, draft)).rejects.toMatchObject({ code: "UNAVAILABLE" });
      expect(await registry.ended).toBe("SIGKILL");
    }
    await using registry = await start(data);
    const ada = registry.as(tokens.ada);
    expect((await ada.getDraft({ name: draft.name }, options)).etag).toBe(draft.etag);
    expect((await ada.getModel({ name: parent }, options)).headVersion).toBe(0n);
    const repeated = await freeze(registry, draft);
    expect(repeated.created).toBe(step !== "after-seal");
    expect([repeated.candidate?.changeCount, repeated.candidate?.state]).toEqual([40n, Candidate_State.OPEN]);
    const candidate = { parent, candidate: "p", digest: repeated.candidate?.digest ?? "", actor: "ada" };
    expect((await registry.as(tokens.control).promote(candidate, options)).candidate?.promotedVersion).toBe(
      1n,
    );
  });

for (const step of ["before", "after"] as const)
  for (const decision of ["promote", "discard"] as const)
    it(`I2, I3: killed at registry.${decision}.${step}, the decision is made once, and a repeat tells it`, async () => {
      const data = join(dir, `${decision}-${step}`);
      let digest = "";
      const call = (registry: Process) => {
        const control = registry.as(tokens.control);
        return decision === "promote"
          ? control.promote({ parent, candidate: "p", digest, actor: "ada" }, options)
          : control.discard({ parent, candidate: "p", reason: "no" }, options);
      };
      {
        await using registry = await start(data, `registry.${decision}.${step}:kill`);
        digest = (await freeze(registry, await prepared(registry))).candidate?.digest ?? "";
        await expect(call(registry)).rejects.toMatchObject({ code: "UNAVAILABLE" });
        expect(await registry.ended).toBe("SIGKILL");
      }
      await using registry = await start(data);
      const decided = decision === "promote" ? 1n : 0n;
      const headAfterKill = step === "after" ? decided : 0n;
      const ada = registry.as(tokens.ada);
      expect((await ada.getModel({ name: parent }, options)).headVersion).toBe(headAfterKill);
      const again = await call(registry);
      expect(again.decidedNow).toBe(step === "before");
      expect(again.candidate?.state).toBe(
        decision === "promote" ? Candidate_State.PROMOTED : Candidate_State.DISCARDED,
      );
      expect((await call(registry)).candidate).toEqual(again.candidate);
      const { versions } = await ada.listVersions({ parent }, options);
      expect(versions.map(({ number }) => number)).toEqual(decided === 1n ? [1n] : []);
      expect((await ada.listEntities({ parent, pageSize: 1000 }, options)).entities).toHaveLength(
        decided === 1n ? 40 : 0,
      );
    });
