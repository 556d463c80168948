/**
 * A conductor in one model, for as long as it is there: takes the next incarnation, reads the journal, runs a
 * session, and begins anew when one ended. Of two processes of one conductor the one that started last is at work;
 * the other stands by, and takes over when that one's lease has lapsed.
 */
import { Conductor_State } from "@greco/contracts/greco/conductor/v1/conductor";
import type { CandidateId } from "@greco/domain/model";
import { followLedger } from "@greco/lane-kit";
import { refusedForGood } from "./answers.ts";
import { attend } from "./attending.ts";
import { untilDone } from "./backoff.ts";
import { obey } from "./commands.ts";
import { backoffOf, type SessionContext } from "./context.ts";
import { hear } from "./hearing.ts";
import type { CandidateState } from "./journal.ts";
import { JournalFile } from "./journal-file.ts";
import { keepLease, lapsed } from "./lease.ts";
import { retire } from "./retire.ts";
import { Session } from "./session.ts";
import { writeSnapshots } from "./snapshots.ts";

export type MemberStatus = {
  readonly incarnation: number;
  /** -1: no view yet. */
  readonly viewVersion: number;
  readonly candidates: readonly {
    readonly candidate: CandidateId;
    readonly phase: CandidateState["phase"];
  }[];
  /** What outside was found to differ, by the last look; undefined: nobody has looked. */
  readonly differences: number | undefined;
  /** Bindings whose retire the outside refuses. */
  readonly lagging: number;
};

export class Member {
  readonly #context: SessionContext;
  #session: Session | undefined;
  #lastIncarnation: number | undefined;

  readonly #writesSnapshots: boolean;

  constructor(context: SessionContext, options: { readonly writesSnapshots: boolean }) {
    this.#context = context;
    this.#writesSnapshots = options.writesSnapshots;
  }

  /** Undefined: between two sessions, or over. */
  get status(): MemberStatus | undefined {
    if (this.#session === undefined) return undefined;
    const { lease, chain, journal, inspections, lagging } = this.#session;
    const candidates = [...journal.candidates].map(([candidate, { phase }]) => ({ candidate, phase }));
    return {
      incarnation: lease.incarnation,
      viewVersion: chain.version,
      candidates,
      differences: inspections.differences,
      lagging: lagging.size,
    };
  }

  /** Rejects with the signal's reason. */
  async run(signal: AbortSignal): Promise<void> {
    const { log } = this.#context;
    await untilDone(
      backoffOf(this.#context),
      signal,
      () => this.#runSession(signal),
      (error) => {
        log.warn("conductor.session-ended", { error });
        return "again";
      },
    );
  }

  async #runSession(signal: AbortSignal): Promise<never> {
    const context = this.#context;
    const { bindingStore, id, limits, model } = context;
    await this.#standBy(signal);
    const lease = await bindingStore.takeConductor(model, id, signal);
    const { incarnation } = lease;
    this.#lastIncarnation = incarnation;
    const { compactAfter, compactAfterChars } = limits;
    const file = { bindingStore, model, conductor: id, incarnation, compactAfter, compactAfterChars };
    const journal = await JournalFile.open(file, signal);
    await using ledger = await followLedger(context, signal);
    const session = new Session(context, { lease, journal, ledger });
    this.#session = session;
    session.begin((over) => keepLease({ ...context, conductor: id, leaseMs: limits.leaseMs }, lease, over));
    // §4.2: subscribed to before a snapshot is taken.
    session.begin((over) =>
      hear(context, journal.position, (command, position) => obey(session, command, position), over),
    );
    session.joining = register(context, incarnation, session.signal);
    session.begin(() => session.joining);
    session.begin((over) => coldBoot(session, over));
    session.begin((over) => retire(session, over));
    session.begin((over) => session.repairs.run(session, over));
    if (context.conductor.attend !== undefined) session.begin((over) => attend(session, over));
    if (context.conductor.inspect !== undefined)
      session.begin((over) => session.inspections.watch(session, over));
    if (this.#writesSnapshots) session.begin((over) => writeSnapshots(session, over));
    try {
      return await session.run(signal);
    } finally {
      this.#session = undefined;
    }
  }

  /** One process at a time: who was taken over, in whatever way it noticed, waits for the other's end. */
  async #standBy(signal: AbortSignal): Promise<void> {
    const { bindingStore, id, limits, log, model } = this.#context;
    const last = this.#lastIncarnation;
    const standing = await bindingStore.readConductor(model, id, signal);
    if (last === undefined || standing === undefined || standing.incarnation <= last) return;
    log.warn("conductor.stands-by", { incarnation: standing.incarnation, own: last });
    const lease = await lapsed({ ...this.#context, conductor: id, leaseMs: limits.leaseMs }, signal);
    log.warn("conductor.takes-over", { from: lease.incarnation, why: "its lease has lapsed" });
  }
}

/** Repeated at every start. Whether it waits for its first promote. */
async function register(context: SessionContext, incarnation: number, signal: AbortSignal): Promise<boolean> {
  const { coordinator, conductor, id, model, log } = context;
  const request = {
    name: `conductors/${id}`,
    model: `models/${model}`,
    kinds: [...conductor.kinds],
    incarnation: BigInt(incarnation),
  };
  const response = await untilDone(
    backoffOf(context),
    signal,
    () => coordinator.registerConductor(request, { signal }),
    (error) => {
      log.warn("conductor.not-registered", { error });
      return refusedForGood(error) ? "final" : "again";
    },
  );
  const joining = response.conductor?.state === Conductor_State.JOINING;
  log.info("conductor.registered", { incarnation, joining });
  return joining;
}

/** The view is wanted before the first review asks for it. */
async function coldBoot(session: Session, signal: AbortSignal): Promise<void> {
  await untilDone(
    backoffOf(session.context),
    signal,
    () => session.chain.catchUp(0),
    (error) => {
      session.context.log.warn("conductor.no-snapshot", { error });
      return "again";
    },
  );
}
