/**
 * The decision about a candidate (DESIGN §4.4): one compare-and-swap of its record, promote or discard. There is no
 * other place where a version is made.
 *
 * I2: whoever comes second finds what was decided, and nothing he does changes it. An ambiguous answer of the store
 * is read back before anyone is told.
 * I3: the head moves from N to N+1 only over a candidate whose base is N, in the transaction that writes version N+1.
 */
import {
  admitJoining,
  decodeRegistrations,
  encodeRegistrations,
  keys,
  noRegistrations,
} from "@greco/control-kit";
import { StoreUnknownError, type Compare, type Operation, type Transaction } from "@greco/ports";
import { failpoint, fault, type CallContext } from "@greco/service-kit";
import { audited } from "../audit.ts";
import type { Registry } from "../registry.ts";
import { put, type Stored } from "../store/json.ts";
import type { CandidateRecord, HeadRecord, PendingRecord, Sealed, VersionRecord } from "../store/records.ts";
import { noCandidate, notSealed } from "./candidate-store.ts";

export type Promotion = {
  readonly model: string;
  readonly candidate: string;
  readonly digest: string;
  readonly registrationsRevision: number;
  readonly actor: string;
  readonly reason: string;
  readonly joining: readonly string[];
  /** Empty: the proposal's record stays as it is. */
  readonly proposalRecord: Uint8Array;
};

export type Discarding = Pick<Promotion, "model" | "candidate" | "actor" | "reason" | "proposalRecord"> & {
  /** 0: whatever the proposal's record is; otherwise it must be this one. */
  readonly proposalRevision: number;
};

export type Decision = {
  readonly record: CandidateRecord;
  readonly decidedNow: boolean;
  readonly refused: "" | Refused;
};

type Refused = "HEAD_MOVED" | "REGISTRATIONS_CHANGED" | "PROPOSAL_MOVED";

type Open = CandidateRecord & Sealed & { readonly state: "open" };

const RETRY_MS = 50;
const RETRY_MAX_MS = 2_000;

export async function promote(
  registry: Registry,
  wanted: Promotion,
  context: CallContext,
): Promise<Decision> {
  const { store, directory, states, candidates, snapshots, ids, clock } = registry;
  const { model, candidate } = wanted;
  const { signal } = context;
  const decision = ids.next();
  const registrationsKey = keys.registrations(model);
  // All of it is compared when it is written: in which order it is read does not matter.
  const read = () =>
    Promise.all([
      directory.freshHead(model, signal),
      store.range({ key: registrationsKey }, { limit: 1 }, signal),
    ]);
  return await decide(registry, wanted, decision, signal, read, (open, [head, registrations]) => {
    checkDigest(open.value, wanted);
    if (head.value.version !== open.value.baseVersion) return "HEAD_MOVED";
    const standing = registrations.entries[0];
    if ((standing?.modRevision ?? 0) !== wanted.registrationsRevision) return "REGISTRATIONS_CHANGED";
    const version = open.value.baseVersion + 1;
    const record: CandidateRecord = {
      ...open.value,
      state: "promoted",
      version,
      decidedAtMs: clock.nowMs(),
      decision,
    };
    const newHead: HeadRecord = {
      version,
      candidate,
      totalChanges: head.value.totalChanges + open.value.changeCount,
    };
    const before = standing === undefined ? noRegistrations : decodeRegistrations(standing.value);
    const joins: Operation[] =
      wanted.joining.length === 0
        ? []
        : [
            {
              type: "put",
              key: registrationsKey,
              value: encodeRegistrations(admitJoining(before, wanted.joining, version)),
            },
          ];
    return {
      record,
      transaction: {
        compare: [
          isRevision(keys.candidate(model, candidate), open.revision),
          isRevision(keys.head(model), head.revision),
          isRevision(registrationsKey, wanted.registrationsRevision),
        ],
        then: [
          put(keys.head(model), newHead),
          put(keys.candidate(model, candidate), record),
          put(keys.version(model, version), versionOf(open.value, wanted, version, record.decidedAtMs)),
          { type: "delete", range: { key: keys.pendingCandidate(model, candidate) } },
          ...joins,
          ...proposalPut(wanted, open.value),
          audited(registry, context, model, {
            resource: `models/${model}/versions/${version}`,
            outcome: "promoted",
            reason: wanted.reason,
            actor: wanted.actor,
            detail: {
              candidate,
              digest: wanted.digest,
              ...(wanted.joining.length > 0 ? { joining: wanted.joining } : {}),
            },
          }),
        ],
      },
      learn(revision) {
        const state = candidates.known(model, candidate)?.state;
        // Known before the head is: who reads the new head finds its state.
        if (state !== undefined) states.put(model, state.state, state.kinds);
        directory.heads.learn(keys.head(model), newHead, revision);
        if (state !== undefined) snapshots.consider(model, state.state, newHead.totalChanges);
      },
    };
  });
}

export async function discard(
  registry: Registry,
  wanted: Discarding,
  context: CallContext,
): Promise<Decision> {
  const { store, ids, clock } = registry;
  const { model, candidate, proposalRevision } = wanted;
  const decision = ids.next();
  const nothing = (): Promise<void> => Promise.resolve();
  return await decide(registry, wanted, decision, context.signal, nothing, async (open) => {
    const proposalKey = keys.proposal(model, open.value.proposal);
    if (proposalRevision > 0) {
      const { entries } = await store.range(
        { key: proposalKey },
        { limit: 1, keysOnly: true },
        context.signal,
      );
      if (entries[0]?.modRevision !== proposalRevision) return "PROPOSAL_MOVED";
    }
    const decidedAtMs = clock.nowMs();
    const { reason } = wanted;
    const record: CandidateRecord = {
      ...open.value,
      state: "discarded",
      decidedAtMs,
      decision,
      reason,
      collected: false,
    };
    const pending: PendingRecord = { sinceMs: decidedAtMs, discarded: true };
    return {
      record,
      transaction: {
        compare: [
          isRevision(keys.candidate(model, candidate), open.revision),
          ...(proposalRevision > 0 ? [isRevision(proposalKey, proposalRevision)] : []),
        ],
        then: [
          put(keys.candidate(model, candidate), record),
          put(keys.pendingCandidate(model, candidate), pending),
          ...proposalPut(wanted, open.value),
          audited(registry, context, model, {
            resource: `models/${model}/proposals/${open.value.proposal}`,
            outcome: "discarded",
            reason,
            ...(wanted.actor === "" ? {} : { actor: wanted.actor }),
            detail: { candidate },
          }),
        ],
      },
      learn() {},
    };
  });
}

type Attempt =
  | {
      readonly record: CandidateRecord;
      readonly transaction: Transaction;
      /** It took effect. */
      readonly learn: (revision: number) => void;
    }
  | Refused;

/**
 * Reads, tries, and reads again until the candidate is decided or the decision is refused. The comparison on the
 * candidate lets one attempt at most take effect, however often an ambiguous one is repeated.
 */
async function decide<R>(
  { store, candidates, clock, log }: Registry,
  { model, candidate }: Pick<Promotion, "model" | "candidate">,
  decision: string,
  signal: AbortSignal,
  read: () => Promise<R>,
  attempt: (open: Stored<Open>, read: R) => Promise<Attempt> | Attempt,
): Promise<Decision> {
  let applied: ((revision: number) => void) | undefined;
  for (let waitMs = RETRY_MS; ; waitMs = Math.min(2 * waitMs, RETRY_MAX_MS)) {
    const [found, beside] = await Promise.all([candidates.record(model, candidate, signal), read()]);
    if (found === undefined) throw noCandidate(model, candidate);
    const { value, revision } = found;
    if (value.state === "unsealed") throw notSealed(model, candidate);
    if (value.state !== "open") {
      const decidedNow = value.decision === decision;
      if (decidedNow) applied?.(revision);
      return { record: value, decidedNow, refused: "" };
    }
    const tried = await attempt({ value, revision }, beside);
    if (typeof tried === "string") return { record: value, decidedNow: false, refused: tried };
    applied = tried.learn;
    await failpoint(`registry.${name(tried.record)}.before`);
    try {
      const result = await store.transact(tried.transaction, signal);
      await failpoint(`registry.${name(tried.record)}.after`);
      if (result.succeeded) {
        tried.learn(result.revision);
        return { record: tried.record, decidedNow: true, refused: "" };
      }
    } catch (error) {
      if (!(error instanceof StoreUnknownError)) throw error;
      // I2: nobody is told until the store says what it did.
      log.warn("registry.decide.unknown", { model, candidate, error });
      await clock.sleep(waitMs, signal);
    }
  }
}

const name = ({ state }: CandidateRecord): string => (state === "promoted" ? "promote" : "discard");

function isRevision(key: string, value: number): Compare {
  return { key, target: "modRevision", is: "=", value };
}

function proposalPut(
  { model, proposalRecord }: Pick<Promotion, "model" | "proposalRecord">,
  { proposal }: CandidateRecord,
): readonly Operation[] {
  if (proposalRecord.length === 0) return [];
  return [{ type: "put", key: keys.proposal(model, proposal), value: proposalRecord }];
}

function versionOf(
  open: Open,
  { actor, reason }: Promotion,
  number: number,
  commitAtMs: number,
): VersionRecord {
  const { id: candidate, digest, author, changeCount, proposal, restoresVersion, content } = open;
  return {
    number,
    candidate,
    digest,
    author,
    releaser: actor,
    reason,
    commitAtMs,
    changeCount,
    proposal,
    restoresVersion,
    content,
  };
}

function checkDigest(open: Open, { model, candidate, digest }: Promotion): void {
  if (open.digest === digest) return;
  const description = `candidate ${candidate} of ${model} has another digest, ${open.digest}: promote only what was voted on`;
  throw fault.invalid("DIGEST_MISMATCH", description, [{ field: "digest", description }]);
}
