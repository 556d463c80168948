/** The conductor as a process: killed by the signal that nobody hears at a failpoint, started again, and what it promised holds. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  openEmbeddedBindingStore,
  openEmbeddedControlLog,
  openEmbeddedLaneStore,
} from "@greco/adapter-embedded";
import { ScriptedControl, temporaryFolder, until } from "@greco/conductor-kit/testing";
import { candidateId, epoch, modelId } from "@greco/domain/model";
import { createLog, systemClock } from "@greco/service-kit";
import { describe, expect, it } from "vitest";

const { signal } = new AbortController();
const model = modelId("m");
/** At 5 ms a look. */
const LOOKS_A_REMINDER = 60;
const bands = { key: "band", schema: { type: "object" }, rows: [{ band: "far", euros: 600 }] };

/** Stores in a folder that the process shares, and a control plane before it. */
async function world() {
  const stack = new AsyncDisposableStack();
  const folder = stack.use(temporaryFolder("kill")).path;
  const at = (name: string) => ({ path: join(folder, `${name}.sqlite`), clock: systemClock });
  const controlLog = stack.use(await openEmbeddedControlLog(at("control-log")));
  const bindings = stack.use(await openEmbeddedBindingStore(at("bindings")));
  const lanes = stack.use(await openEmbeddedLaneStore(at("lanes")));
  const log = createLog({ service: "test", level: "silent" });
  const control = stack.use(await ScriptedControl.start(controlLog, log, signal));
  control.conductor = "conductor-tables";
  control.seed({});
  const head = {
    model,
    epoch: epoch(1),
    candidate: candidateId("none"),
    scope: [],
    bindings: [],
    committedAtMs: 0,
  };
  await lanes.appendLedger(head, signal);
  const tokenFile = join(folder, "token");
  writeFileSync(tokenFile, "conductor:conductor-tables");

  const start = (failpoint?: string): ChildProcess => {
    const { address } = control;
    const flags = [
      "--data",
      folder,
      "--token-file",
      tokenFile,
      "--coordinator",
      address,
      "--registry",
      address,
    ];
    const child = spawn(
      process.execPath,
      [join(import.meta.dirname, "main.ts"), ...flags, "--lease-ms", "300"],
      {
        env: { ...process.env, ...(failpoint === undefined ? {} : { GRECO_FAILPOINT: `${failpoint}:kill` }) },
        stdio: "ignore",
      },
    );
    stack.defer(() => void child.kill("SIGKILL"));
    return child;
  };
  /** Told again now and then until it is answered, as the coordinator does. */
  const told = (commandId: string, tell: () => Promise<void>) => {
    let looks = 0;
    return until(async () => {
      if (control.answersTo(commandId).length === 0 && looks++ % LOOKS_A_REMINDER === 0) await tell();
      expect(control.answersTo(commandId)).not.toEqual([]);
    });
  };
  const rows = async () =>
    (await bindings.listBindings(model, candidateId("p1"), signal)).map((row) => row.entity);
  return { stack, control, start, told, rows };
}

const killed = async (child: ChildProcess): Promise<void> => {
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  expect(child.signalCode).toBe("SIGKILL");
};

describe("a conductor that is killed", () => {
  for (const at of ["vote.before", "prepare.intent", "prepare.after", "ready.after", "settle.before"])
    it(`I1: at conductor.${at} goes on with what it promised, and the commit stands`, async () => {
      const { stack, control, start, told, rows } = await world();
      await using _stack = stack;
      const p1 = control.propose("p1", { changes: { "table/bands": bands } });
      const first = start(`conductor.${at}`);
      let next: ChildProcess | undefined;
      void once(first, "exit").then(() => (next = start()));
      await told("p1.review", () => control.review(p1));
      await told("p1.prepare", () => control.prepare(p1));
      await control.commit(p1);
      await told("p1.settle", () => control.settle(p1, { committed: true }));
      await killed(first);
      await until(() => expect(next).toBeDefined());
      expect(await rows()).toEqual(["table/bands@2"]);
      for (const commandId of ["p1.review", "p1.prepare", "p1.settle"]) {
        const [one, ...more] = control.answersTo(commandId).map((answer) => answer.answer);
        for (const answer of more) expect(answer).toEqual(one);
      }
      next?.kill("SIGTERM");
    });

  it("K1: in the middle of a prepare leaves nothing behind when it is told of the abort", async () => {
    const { stack, control, start, told, rows } = await world();
    await using _stack = stack;
    const p1 = control.propose("p1", { changes: { "table/bands": bands } });
    const first = start("conductor.prepare.after");
    await told("p1.review", () => control.review(p1));
    await control.prepare(p1);
    await killed(first);
    expect(await rows()).toEqual(["table/bands@2"]);
    const next = start();
    await told("p1.settle", () => control.settle(p1, { committed: false }));
    expect(await rows()).toEqual([]);
    next.kill("SIGTERM");
    expect(await once(next, "exit")).toEqual([0, null]);
  });
});
