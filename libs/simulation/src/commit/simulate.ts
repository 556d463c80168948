/**
 * One run of the commit protocol from a seed: chaos for a while, in which anything may be lost, repeated,
 * late, reordered or dead; then the world heals, and everything must come to its end (I11).
 */
import type { CommitLimits, ProposalFacts } from "@greco/domain/commit";
import { isDecided } from "@greco/domain/commit";
import type { ConductorId } from "@greco/domain/model";
import { seededRandom, type Random } from "../random.ts";
import { checkCommit } from "./check.ts";
import { SimConductor } from "./conductor.ts";
import { SimCoordinator } from "./coordinator.ts";
import { ALL_COMMIT_RULES, type CommitRules } from "./rules.ts";
import { CommitWorld, MODEL, SimViolation, type Reply } from "./world.ts";

export type CommitRun = {
  readonly seed: number;
  /** What was broken; undefined: nothing. */
  readonly violation: string | undefined;
  readonly steps: number;
  readonly committed: number;
  readonly aborted: number;
  readonly reverted: number;
};

const INTERVAL = 1_000;
const LIMITS: CommitLimits = {
  queueMs: 40 * INTERVAL,
  reviewMs: 12 * INTERVAL,
  prepareMinMs: 12 * INTERVAL,
  prepareMaxMs: 20 * INTERVAL,
  promoteMs: 8 * INTERVAL,
  intervalMs: INTERVAL,
};
/** I11: all phases one after the other, with room for the turn of those that are before it. */
const LIVE_TICKS_MAX = 100;
const NETWORK_MAX = 120;

/**
 * Which faults a run has, and how often: chosen anew for each, most of them off, because a world in which all
 * goes wrong at once never gets to where the subtle things happen. Chances by step, or by message.
 */
type Faults = Record<
  | "lose"
  | "repeat"
  | "replay"
  | "coordinatorCrash"
  | "conductorCrash"
  | "death"
  | "deregister"
  | "withdraw"
  | "ambiguous"
  | "veto"
  | "undoAlone"
  | "ledgerDown",
  number
>;

function chooseFaults(random: Random): Faults {
  const some = (often: number): number => (random.chance(0.5) ? often * random.next() : 0);
  return {
    lose: some(0.3),
    repeat: some(0.5),
    replay: some(0.5),
    ledgerDown: some(0.02),
    coordinatorCrash: some(0.02),
    conductorCrash: some(0.02),
    death: some(0.001),
    deregister: some(0.003),
    withdraw: some(0.003),
    ambiguous: some(0.5),
    veto: some(0.1),
    undoAlone: some(0.05),
  };
}

export function simulateCommit(seed: number, off: Partial<CommitRules> = {}): CommitRun {
  const run = new Run(seed, { ...ALL_COMMIT_RULES, ...off });
  let violation: string | undefined;
  try {
    run.chaos();
    run.heal();
  } catch (error) {
    // An invariant that the machine itself checks counts as much as one of ours; a bug of the simulation shows too.
    violation = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  }
  return { seed, violation, steps: run.steps, ...run.count() };
}

class Run {
  steps = 0;
  private readonly random: Random;
  private readonly world: CommitWorld;
  private readonly conductors: SimConductor[];
  private readonly coordinators: SimCoordinator[];
  private readonly faults: Faults;
  private made = 0;

  constructor(seed: number, rules: CommitRules) {
    this.random = seededRandom(seed);
    this.world = new CommitWorld(rules);
    this.faults = chooseFaults(this.random);
    const count = 1 + this.random.integer(2);
    this.conductors = Array.from(
      { length: count + 1 },
      (_, index) =>
        new SimConductor(`conductor-${index}` as ConductorId, index === 0, this.world, this.random),
    );
    this.coordinators = [0, 1].map(() => new SimCoordinator(this.world, LIMITS, this.random));
    for (const coordinator of this.coordinators) coordinator.ambiguity = this.faults.ambiguous;
    this.world.yes = (conductor, candidate) =>
      this.conductors.some((each) => each.id === conductor && each.saidYes(candidate));
    // The last one comes late, and joins.
    for (const conductor of this.conductors.slice(0, count)) conductor.start();
  }

  count(): Pick<CommitRun, "committed" | "aborted" | "reverted"> {
    const states = [...this.world.candidates.values()];
    return {
      committed: states.filter((each) => each.state === "promoted").length,
      aborted: states.filter((each) => each.state === "discarded").length,
      reverted: states.filter((each) => each.state === "promoted" && /-r\d+$/.test(each.id)).length,
    };
  }

  chaos(): void {
    const length = 300 + this.random.integer(900);
    for (let each = 0; each < length; each += 1) {
      this.act();
      this.afterStep();
    }
  }

  private act(): void {
    const { faults, random } = this;
    const coordinator = random.pick(this.coordinators);
    const conductor = random.pick(this.conductors);
    if (random.chance(faults.coordinatorCrash)) coordinator.crash();
    if (random.chance(faults.conductorCrash)) conductor.crash();
    if (random.chance(faults.death)) this.kill(conductor);
    if (random.chance(faults.deregister)) this.deregister(conductor);
    if (random.chance(faults.undoAlone)) conductor.undoAlone();
    if (random.chance(faults.ledgerDown)) this.world.ledgerDown = !this.world.ledgerDown;
    if (random.chance(faults.withdraw)) this.withdraw(coordinator);
    const dice = random.integer(100);
    if (dice < 4) return this.propose();
    if (dice < 42) return this.coordinate(coordinator, dice);
    if (dice < 63) return this.deliverMessage(true);
    if (dice < 80) return this.deliverReply(true);
    if (dice < 91) return conductor.up ? conductor.work(faults.veto) : this.revive(conductor);
    if (dice < 93) return this.tick(coordinator);
    if (dice < 98) return coordinator.remind();
    return this.confirm(coordinator);
  }

  private kill(conductor: SimConductor): void {
    conductor.crash();
    conductor.dead = true;
  }

  private coordinate(coordinator: SimCoordinator, dice: number): void {
    if (!coordinator.up) return coordinator.start();
    if (dice < 10) return coordinator.look();
    if (dice < 14) return coordinator.turn();
    coordinator.work();
  }

  private propose(): void {
    const open = [...this.world.records.values()].filter((each) => !isDecided(each.proposal)).length;
    if (open >= 3 || this.world.slot?.armed === true || this.made >= 8) return;
    const joining = [...this.world.joining][0];
    const origin: ProposalFacts["origin"] =
      joining === undefined ? { kind: "draft", draft: "d", etag: "e" } : { kind: "join", conductor: joining };
    const confirmWithinMs =
      joining === undefined && this.random.chance(0.3) ? (1 + this.random.integer(6)) * INTERVAL : undefined;
    this.made += 1;
    const proposal = `p${this.made}`;
    const facts = {
      model: MODEL,
      proposal,
      origin,
      actor: "ann",
      reason: "",
      createdAtMs: 0,
      confirmWithinMs,
    };
    this.world.freeze(facts, this.world.head, joining === undefined, LIMITS.queueMs);
  }

  private revive(conductor: SimConductor): void {
    if (!conductor.dead && !conductor.up) conductor.start();
  }

  /** Late, in any order, more than once, or never. */
  private deliverMessage(chaos: boolean): void {
    const { messages } = this.world;
    while (messages.length > NETWORK_MAX) messages.shift();
    if (messages.length === 0) return;
    const index = chaos ? this.random.integer(messages.length) : 0;
    const message = messages[index];
    if (message === undefined) return;
    if (!chaos || !this.random.chance(this.faults.repeat)) messages.splice(index, 1);
    if (chaos && this.random.chance(this.faults.lose)) return;
    this.conductors.find((each) => each.id === message.to)?.deliver(message, chaos ? this.faults.veto : 0);
  }

  private deliverReply(chaos: boolean): void {
    const { replies } = this.world;
    while (replies.length > NETWORK_MAX) replies.shift();
    if (replies.length === 0) return;
    const index = chaos ? this.random.integer(replies.length) : 0;
    const reply = replies[index];
    if (reply === undefined) return;
    if (!chaos || !this.random.chance(this.faults.repeat)) replies.splice(index, 1);
    if (chaos && this.random.chance(this.faults.lose)) return;
    const up = this.coordinators.filter((each) => each.up);
    if (up.length === 0) return;
    this.random.pick(up).hear(reply);
    if (chaos && this.random.chance(this.faults.replay)) this.random.pick(up).hear(this.forged());
  }

  /** What was said of one proposal, as if it were of another. */
  private forged(): Reply {
    return { ...this.random.pick(this.world.said), proposal: this.openProposal() };
  }

  private openProposal(): string {
    const open = [...this.world.records].filter(([, { proposal }]) => !isDecided(proposal));
    return open.length === 0 ? this.anyProposal() : this.random.pick(open)[0];
  }

  private anyProposal(): string {
    return this.random.pick([...this.world.records.keys()]);
  }

  private tick(coordinator: SimCoordinator): void {
    if (coordinator.up)
      coordinator.tick(this.random.integer(10) === 0 ? INTERVAL : this.random.integer(INTERVAL + 1));
  }

  private withdraw(coordinator: SimCoordinator): void {
    if (this.world.records.size > 0)
      coordinator.tell(this.anyProposal(), { type: "withdrawn", by: "ann", reason: "" });
  }

  private confirm(coordinator: SimCoordinator): void {
    if (this.world.slot?.armed !== true || this.random.chance(0.5)) return;
    const event = this.random.chance(0.7)
      ? ({ type: "confirmed", by: "ann" } as const)
      : ({ type: "rejected" } as const);
    coordinator.tell(this.world.slot.proposal, event);
  }

  private deregister(conductor: SimConductor): void {
    this.world.deregister(conductor.id);
    for (const each of this.coordinators)
      if (each.up) each.tellAll({ type: "deregistered", conductor: conductor.id });
  }

  /** Everything is up but the dead, nothing is lost; time passes. */
  heal(): void {
    for (const coordinator of this.coordinators) coordinator.ambiguity = 0;
    this.world.ledgerDown = false;
    this.rounds(LIVE_TICKS_MAX, () => this.everyDecided());
    if (!this.everyDecided()) throw new SimViolation(`I11: not decided within its deadlines: ${this.open()}`);
    for (const conductor of this.conductors) if (conductor.dead) this.deregister(conductor);
    this.rounds(LIVE_TICKS_MAX, () => this.everySettled());
    if (!this.everySettled())
      throw new SimViolation(`I11: not settled although everybody is back: ${this.open()}`);
    this.checkNothingLeft();
  }

  private rounds(count: number, done: () => boolean): void {
    for (let round = 0; round < count && !done(); round += 1) {
      for (const conductor of this.conductors) this.revive(conductor);
      for (const coordinator of this.coordinators) {
        if (!coordinator.up) coordinator.start();
        coordinator.look();
        coordinator.tick(INTERVAL);
        coordinator.remind();
        this.drain(coordinator);
        coordinator.turn();
        this.drain(coordinator);
        this.exchange();
        this.drain(coordinator);
      }
      this.learnGone();
    }
  }

  /** The watch tells every coordinator of those that are not registered any more. */
  private learnGone(): void {
    for (const conductor of this.world.deregistered)
      for (const coordinator of this.coordinators) coordinator.tellAll({ type: "deregistered", conductor });
  }

  private drain(coordinator: SimCoordinator): void {
    while (coordinator.work()) this.afterStep();
  }

  private exchange(): void {
    for (let each = 0; each < 4; each += 1) {
      while (this.world.messages.length > 0) this.deliverMessage(false);
      for (const conductor of this.conductors) while (conductor.up && conductor.busy) conductor.work(0);
      while (this.world.replies.length > 0) this.deliverReply(false);
      this.afterStep();
    }
  }

  private everyDecided(): boolean {
    return [...this.world.records.values()].every(({ proposal }) => isDecided(proposal));
  }

  private everySettled(): boolean {
    return [...this.world.records.values()].every(({ proposal }) => proposal.phase === "settled");
  }

  private open(): string {
    return [...this.world.records.values()]
      .filter(({ proposal }) => proposal.phase !== "settled")
      .map(({ proposal }) => `${proposal.facts.proposal} is ${proposal.phase}`)
      .join(", ");
  }

  private checkNothingLeft(): void {
    for (const conductor of this.conductors) {
      if (this.world.deregistered.has(conductor.id)) continue;
      for (const [candidate, stage] of conductor.region)
        if (
          stage > 0 &&
          this.world.candidate(candidate).state === "discarded" &&
          !this.wasExcused(conductor, candidate)
        )
          throw new SimViolation(`I11: something of the aborted ${candidate} is left at ${conductor.id}`);
    }
  }

  private wasExcused(conductor: SimConductor, candidate: string): boolean {
    const { proposal } = this.world.record(candidate);
    return (
      "voters" in proposal &&
      proposal.voters.some((voter) => voter.conductor === conductor.id && voter.excused)
    );
  }

  private afterStep(): void {
    this.steps += 1;
    checkCommit(this.world, this.conductors);
    if (!this.world.rules.deadlines) return;
    for (const [proposal, ticks] of this.world.liveTicks)
      if (ticks > 4 * LIVE_TICKS_MAX && !isDecided(this.world.record(proposal).proposal))
        throw new SimViolation(`I11: ${proposal} is open after ${ticks} ticks of live coordinators`);
  }
}
