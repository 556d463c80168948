/**
 * A conductor as the kit will make it: a journal that survives, an A in its region, and everything else lost
 * with the process. It accepts or vetoes by chance, and its repeats give the first answer.
 */
import { noPlan, type Answer } from "@greco/domain/commit";
import type { CandidateId, ConductorId, EntityIdentity } from "@greco/domain/model";
import type { Random } from "../random.ts";
import { ENTITY, type CommitWorld, type Message, type Reply } from "./world.ts";

type Journal = {
  vote?: "accept" | "ready" | "veto";
  intent?: boolean;
  prepared?: "ready" | "failed";
  outcome?: "released" | "undone";
};

/** How far the A of a candidate stands in the region; 2: bindings written. */
type Stage = 0 | 1 | 2;

export class SimConductor {
  readonly id: ConductorId;
  incarnation = 0;
  up = false;
  /** Never comes back. */
  dead = false;
  /** Owns the entity, so that exactly one of them claims it. */
  readonly claims: boolean;
  readonly journal = new Map<CandidateId, Journal>();
  readonly region = new Map<CandidateId, Stage>();
  private preparing = new Map<CandidateId, Message>();
  private readonly world: CommitWorld;
  private readonly random: Random;

  constructor(id: ConductorId, claims: boolean, world: CommitWorld, random: Random) {
    this.id = id;
    this.claims = claims;
    this.world = world;
    this.random = random;
  }

  start(): void {
    this.up = true;
    this.incarnation += 1;
    if (!this.world.deregistered.has(this.id)) this.world.register(this.id, this.incarnation);
  }

  crash(): void {
    this.up = false;
    this.preparing = new Map();
    if (this.world.rules.journalFirst) return;
    for (const entry of this.journal.values()) delete entry.vote;
  }

  saidYes(candidate: CandidateId): boolean {
    const entry = this.journal.get(candidate);
    return entry?.vote === "ready" || (entry?.vote === "accept" && entry.prepared === "ready");
  }

  deliver(message: Message, refusal: number): void {
    if (!this.up) return;
    const entry = this.entry(message.candidate);
    switch (message.command) {
      case "review":
        return this.review(message, entry, refusal);
      case "prepare":
        return this.prepare(message, entry);
      case "settle":
      case "disarm":
        return this.settle(message, entry);
    }
  }

  private entry(candidate: CandidateId): Journal {
    const entry = this.journal.get(candidate) ?? {};
    this.journal.set(candidate, entry);
    return entry;
  }

  private review(message: Message, entry: Journal, refusal: number): void {
    // It reviews only with a view equal to the base; the head may have moved on, and then nobody waits.
    if (entry.outcome !== undefined || (entry.vote === undefined && message.base > this.world.head)) return;
    entry.vote ??= this.opinion(message, refusal);
    if (entry.vote === "ready") this.region.set(message.candidate, 2);
    this.send(message, this.voteAnswer(message, entry.vote));
  }

  private opinion(message: Message, refusal: number): "accept" | "ready" | "veto" {
    if (!message.revert && this.random.chance(refusal)) return "veto";
    return this.random.chance(0.4) ? "ready" : "accept";
  }

  private voteAnswer(message: Message, vote: "accept" | "ready" | "veto"): Answer {
    if (vote === "veto") return { kind: "veto", findings: [finding] };
    const plan = { ...noPlan, claims: this.claims ? [ENTITY] : [] };
    return vote === "accept"
      ? { kind: "accept", plan }
      : { kind: "accept", plan, ready: [this.binding(message.candidate)] };
  }

  private binding(candidate: CandidateId): { entity: EntityIdentity; hash: string } {
    return { entity: `query/${this.id}@1` as EntityIdentity, hash: `${this.id}:${candidate}` };
  }

  private prepare(message: Message, entry: Journal): void {
    if (entry.prepared !== undefined || entry.vote === "ready") return this.sendPrepared(message, entry);
    if (entry.outcome === "undone" && this.world.rules.tombstones) return;
    if (entry.vote !== "accept") return;
    if (this.world.rules.intentFirst) entry.intent = true;
    this.preparing.set(message.candidate, message);
  }

  /** One step of what is being prepared: create, write the bindings, journal ready. */
  work(refusal: number): void {
    for (const [candidate, message] of this.preparing) {
      const entry = this.entry(candidate);
      const stage = this.region.get(candidate) ?? 0;
      if (stage < 2 && !message.revert && this.random.chance(refusal)) entry.prepared = "failed";
      else if (stage < 2) {
        this.region.set(candidate, (stage + 1) as Stage);
        continue;
      } else entry.prepared = "ready";
      this.preparing.delete(candidate);
      this.sendPrepared(message, entry);
    }
  }

  get busy(): boolean {
    return this.preparing.size > 0;
  }

  private sendPrepared(message: Message, entry: Journal): void {
    this.send(
      { ...message, command: "prepare" },
      entry.prepared === "failed"
        ? { kind: "failed", findings: [finding] }
        : { kind: "ready", bindings: [this.binding(message.candidate)] },
    );
  }

  private settle(message: Message, entry: Journal): void {
    if (message.committed) entry.outcome ??= "released";
    else {
      const known =
        entry.intent === true ||
        entry.prepared !== undefined ||
        entry.vote === "ready" ||
        this.preparing.has(message.candidate);
      this.preparing.delete(message.candidate);
      if (known) this.region.delete(message.candidate);
      entry.outcome ??= "undone";
    }
    this.send(message, { kind: "settled", committed: message.committed });
  }

  /** K5 forbids it: gives up waiting, and removes what it had said to be ready. */
  undoAlone(): void {
    if (this.world.rules.readyWaits) return;
    for (const [candidate, entry] of this.journal)
      if (entry.outcome === undefined && this.saidYes(candidate)) this.region.delete(candidate);
  }

  private send(message: Message, answer: Answer): void {
    const { proposal, command, candidate, digest } = message;
    const reply: Reply = {
      conductor: this.id,
      incarnation: this.incarnation,
      proposal,
      command,
      candidate,
      digest,
      answer,
    };
    this.world.replies.push(reply);
    this.world.said.push(reply);
  }
}

const finding = {
  severity: "error",
  entity: "",
  fieldPath: "",
  column: 0,
  reason: "CHANCE",
  message: "not today",
  remedy: "",
} as const;
