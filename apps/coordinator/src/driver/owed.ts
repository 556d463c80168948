/**
 * What deregistered conductors still owe when they come back: an undo, or a release, of proposals that have settled
 * without them (I11). Each is a key of its own, written when its proposal settles and deleted when it is confirmed,
 * so that nobody looks through history; there are as many as a conductor had open when it was deregistered.
 */
import { keys } from "@greco/control-kit";
import { owed, type CommandKind, type Proposal } from "@greco/domain/commit";
import type { ConductorId } from "@greco/domain/model";
import type { CpStore, Operation } from "@greco/ports";
import { pauseMs } from "../backoff.ts";
import type { Parts } from "../parts.ts";
import { registeredConductors } from "../store/conductor-store.ts";
import type { ProposalStore } from "../store/proposal-store.ts";
import type { Announcer } from "./announcer.ts";

/** With the write that settles it. */
export function noteOwed(state: Proposal): readonly Operation[] {
  if (state.phase !== "settled") return [];
  const { model, proposal } = state.facts;
  const value = new Uint8Array();
  return owed(state).to.map((conductor) => ({
    type: "put",
    key: keys.owed(model, conductor, proposal),
    value,
  }));
}

/** Confirmed, if it was the last that there is to confirm. */
export async function clearOwed(
  store: CpStore,
  state: Proposal,
  { conductor, command }: { readonly conductor: ConductorId; readonly command: CommandKind },
  signal: AbortSignal,
): Promise<void> {
  const { command: last, to } = owed(state);
  if (state.phase !== "settled" || command !== last || !to.includes(conductor)) return;
  const key = keys.owed(state.facts.model, conductor, state.facts.proposal);
  await store.transact({ compare: [], then: [{ type: "delete", range: { key } }] }, signal);
}

type Context = {
  readonly parts: Parts;
  readonly proposals: ProposalStore;
  readonly announcer: Announcer;
  /** Proposals that have not settled: who is excused there is told, too. */
  readonly open: () => Iterable<Proposal>;
};

export class Owed {
  readonly #model: string;
  readonly #context: Context;
  readonly #signal: AbortSignal;
  #looking: Promise<void> = Promise.resolve();
  #wanted = false;
  #attempts = 0;
  /** Undefined: nobody who is there owes anything. */
  #againAtMs: number | undefined;

  constructor(model: string, context: Context, signal: AbortSignal) {
    this.#model = model;
    this.#context = context;
    this.#signal = signal;
  }

  get idle(): Promise<void> {
    return this.#looking;
  }

  /** Who owes something may have come back. */
  look(): void {
    this.#attempts = 0;
    this.#tell();
  }

  pulse(nowMs: number): void {
    if (this.#againAtMs !== undefined && nowMs >= this.#againAtMs) this.#tell();
  }

  #tell(): void {
    if (this.#wanted) return;
    this.#wanted = true;
    this.#againAtMs = undefined;
    this.#looking = this.#looking.then(async () => {
      this.#wanted = false;
      const { clock, ids, limits, log } = this.#context.parts;
      let left = true;
      try {
        left = await this.#tellAll();
      } catch (error) {
        if (this.#signal.aborted) return;
        log.warn("commit.owed.not-told", { model: this.#model, error });
      }
      if (!left) return;
      this.#attempts += 1;
      const pauses = { minMs: limits.remindMinMs, maxMs: limits.remindMaxMs };
      this.#againAtMs = clock.monotonicMs() + pauseMs(pauses, this.#attempts, ids);
    });
  }

  /** Whether somebody was told, who has to confirm it. */
  async #tellAll(): Promise<boolean> {
    const { parts, announcer, open } = this.#context;
    const waiting = [...(await this.#settled()), ...open()].flatMap((state) => {
      const { command, to } = owed(state);
      return to.map((conductor) => ({ state, command, conductor }));
    });
    if (waiting.length === 0) return false;
    const registered = await registeredConductors(parts.store, this.#model, this.#signal);
    const back = waiting.filter(({ conductor }) => registered.has(conductor));
    for (const { state, command, conductor } of back)
      await announcer.command(state, command, [conductor], this.#signal);
    return back.length > 0;
  }

  /** Of those that have settled, with only those excused whose confirmation has not come. */
  async #settled(): Promise<readonly Proposal[]> {
    const { parts, proposals } = this.#context;
    const prefix = keys.allOwed(this.#model);
    const { entries } = await parts.store.range({ prefix }, { keysOnly: true }, this.#signal);
    const owing = Map.groupBy(entries, ({ key }) => key.split("/")[3] ?? "");
    const settled: Proposal[] = [];
    for (const [id, keysOf] of owing) {
      const stored = await proposals.read(this.#model, id, this.#signal);
      if (stored?.proposal.phase !== "settled") continue;
      const conductors = new Set(keysOf.map(({ key }) => key.split("/")[2]));
      const voters = stored.proposal.voters.filter((voter) => conductors.has(voter.conductor));
      settled.push({ ...stored.proposal, voters });
    }
    return settled;
  }
}
