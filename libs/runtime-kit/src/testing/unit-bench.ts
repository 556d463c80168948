/**
 * A unit machine on a bench: its lanes are arrays, its calls are answered when the test says so, and rows become
 * durable when the test says so. What it did is told as short lines.
 */
import type { EpochIndex } from "@greco/domain/epoch";
import type { Entry } from "@greco/domain/lane";
import { seq } from "@greco/domain/lane";
import { epoch } from "@greco/domain/model";
import type { Outcome } from "@greco/ports";
import type { Call, Slot } from "../call-window.ts";
import type { DutyAt } from "../duty.ts";
import { RUNTIME_LIMITS, type RuntimeLimits } from "../limits.ts";
import { type Row, type Step, UnitMachine } from "../unit-machine.ts";
import { INPUT, Q, S } from "./model.ts";

type Pending = { readonly at: string; readonly row: Row };

export type UnitBench = ReturnType<typeof unitBench>;

export function unitBench(
  index: EpochIndex,
  options: { readonly limits?: Partial<RuntimeLimits>; readonly start?: [seq: number, epoch: number] } = {},
) {
  const limits = { ...RUNTIME_LIMITS, ...options.limits };
  const [at, of] = options.start ?? [0, 0];
  const start = { seq: seq(at), epoch: epoch(of) };
  const machine = new UnitMachine({ query: Q, lane: INPUT, stream: S, index, start, limits });
  const lanes = new Map<string, string[]>();
  const calls: Call[] = [];
  const unacknowledged: Pending[] = [];
  const log: string[] = [];
  const retries: Slot[] = [];
  let room = true;
  let holdsOpen = false;
  const waitingOpen: Step[] = [];

  const write = (target: string, line: string): void => {
    lanes.get(target)?.push(line);
  };
  const open = (step: Step & { type: "open" }): void => {
    lanes.set(step.target, [`<${step.after.epoch}>`]);
    machine.opened(step.target, step.after.epoch);
  };
  const carryOut = (step: Step): void => {
    switch (step.type) {
      case "open":
        log.push(`open ${step.target} ${step.stream} after ${step.after.seq}@${step.after.epoch}`);
        if (holdsOpen) waitingOpen.push(step);
        else open(step);
        return;
      case "end":
        log.push(`end ${step.target}: ${lanes.get(step.target)?.join(" ")}`);
        for (const { row } of unacknowledged.splice(0)) machine.acknowledged(row);
        machine.ended(step.target);
        return;
      case "cross":
        log.push(`cross ${step.epoch} at ${machine.done.seq}`);
        machine.crossed();
        return;
      case "append": {
        const text = step.entries.map(({ payload }) => new TextDecoder().decode(payload)).join("+");
        write(step.target, text);
        unacknowledged.push({ at: step.target, row: step.row });
        return;
      }
      case "marker":
        write(step.target, step.source === undefined ? `[${step.epoch}]` : `<${step.epoch}>`);
        if (step.row !== undefined) unacknowledged.push({ at: step.target, row: step.row });
        return;
      case "advance":
        return;
      case "finish":
        log.push(step.done ? "done" : "stopped");
    }
  };
  const run = (): void => {
    for (;;) {
      const step = machine.next(() => room);
      if (step !== undefined) carryOut(step);
      const call = machine.nextCall();
      if (call !== undefined) calls.push(call);
      if (step === undefined && call === undefined) return;
    }
  };
  const show = (call: Call): string =>
    `${call.programId}(${call.invocations.map((each) => new TextDecoder().decode(each.payload)).join(" ")})`;
  /** Answers a call: each input by `by`, default one output, `program:input`. */
  const answer = (which = 0, by?: (text: string, program: string) => Outcome): void => {
    const [call] = calls.splice(which, 1);
    if (call === undefined) throw new Error("no such call");
    const settled = machine.settle(
      call,
      call.invocations.map(({ payload }) => {
        const text = new TextDecoder().decode(payload);
        return by?.(text, call.programId) ?? outputs(`${call.programId}:${text}`);
      }),
    );
    retries.push(...settled.retry);
    run();
  };

  return {
    machine,
    log,
    retries,
    /** Takes inputs, then does what can be done. */
    take(...entries: readonly Entry[]): void {
      for (const entry of entries) machine.window.take(entry);
      run();
    },
    learn(at: number, what: DutyAt): void {
      machine.window.learn(epoch(at), what);
      run();
    },
    run,
    answer,
    answerAll(): void {
      while (calls.length > 0) answer();
    },
    /** The host fails as a whole. */
    fail(): void {
      for (const call of calls.splice(0)) machine.window.failed(call);
      run();
    },
    /** Rows issued so far become durable, all or those of one lane. */
    acknowledge(target?: string): void {
      const now = unacknowledged.filter((each) => target === undefined || each.at === target);
      for (const each of now) unacknowledged.splice(unacknowledged.indexOf(each), 1);
      for (const { row } of now) machine.acknowledged(row);
      run();
    },
    calls: () => calls.map(show),
    lane: (target: string): string => lanes.get(target)?.join(" ") ?? "",
    setRoom(value: boolean): void {
      room = value;
      run();
    },
    holdOpens(value: boolean): void {
      holdsOpen = value;
      for (const step of waitingOpen.splice(0)) if (step.type === "open") open(step);
      run();
    },
  };
}

export function outputs(...texts: readonly string[]): Outcome {
  return {
    type: "outputs",
    outputs: texts.map((text) => ({ key: "", payload: new TextEncoder().encode(text) })),
  };
}

export function failed(reason: string, retryable = false): Outcome {
  return { type: "failed", reason, message: reason, retryable };
}
