/**
 * The compensation job on a cluster, for as long as a test lasts: flights flow, and again and again the rules are made
 * to be the other ones in mid-stream. The checker then knows of each epoch which rules it had.
 */
import { Phase, type Proposal } from "@greco/contracts/greco/commit/v1/commit";
import { entityIdentity, entityKey, modelId } from "@greco/domain/model";
import { type EntityFile, readEntities } from "@greco/entity-files";
import type { Clock, LaneStore } from "@greco/ports";
import { GrecoError } from "@greco/sdk";
import { fileURLToPath } from "node:url";
import { check, type CheckReport } from "../checker.ts";
import { drained } from "../drained.ts";
import { compensationByHand } from "../evaluate.ts";
import { Publisher, PRODUCER } from "../publisher.ts";
import { readInputs } from "../source.ts";
import { type Clients, Story, until, vetoesOf } from "../story.ts";
import { Flow } from "./flow.ts";

export type Rules = 1 | 2;

export type JobOptions = {
  readonly model: string;
  /** Flights a second, over all lanes. */
  readonly rate: number;
  /** Calls that may go to any of a kind; which one is gRPC's to choose. */
  readonly clients: Clients;
  readonly ingresses: readonly Clients["ingress"][];
  readonly lanes: LaneStore;
  readonly clock: Clock;
  readonly leaseMs: number;
};

export type Change = {
  readonly version: number;
  readonly rules: Rules;
  readonly proposal: Proposal;
  /** Proposals that were aborted before, because somebody who must answer was dead for too long. */
  readonly aborted: readonly Proposal[];
};

const CONDUCTORS = 3;
/** As many as a soak of hours can send; the flights come again and again. */
const INPUTS_MAX = 2_000_000;
const PAGE = 1_000;
const AGAIN_MS = 200;
/** A dead or stopped ingress is left after two leases; one that seals the lanes of another needs four of its own. */
const SILENCE_LEASES = 2;
const PATIENCE_LEASES = 10;
/** What a call fails with while somebody is dead. It may have been carried out. */
const PASSING = new Set(["UNAVAILABLE", "DEADLINE_EXCEEDED", "CANCELLED", "UNKNOWN", "INTERNAL", "ABORTED"]);

const models = (name: string): string => fileURLToPath(new URL(`../../model/${name}`, import.meta.url));
const reasonOf = (rules: Rules): string => `rules ${rules}`;

export class CompensationJob {
  readonly #options: JobOptions;
  readonly #story: Story;
  readonly #entities: Readonly<Record<Rules, readonly EntityFile[]>>;
  readonly #inputs: readonly unknown[];
  #rules: Rules = 1;
  #drafts = 0;
  #flow: Flow | undefined;

  private constructor(
    options: JobOptions,
    entities: Readonly<Record<Rules, readonly EntityFile[]>>,
    flights: readonly unknown[],
  ) {
    this.#options = options;
    this.#story = new Story(options.clients, options.model);
    this.#entities = entities;
    this.#inputs = endless(flights);
  }

  static async prepare(options: JobOptions): Promise<CompensationJob> {
    const second = await readEntities(models("v2"));
    const entities = { 1: await readEntities(models("v1")), 2: second.map(described) };
    return new CompensationJob(options, entities, await readInputs(undefined));
  }

  /** `models/{model}` */
  get parent(): string {
    return this.#story.parent;
  }

  get flow(): Flow {
    if (this.#flow === undefined) throw new Error("begin() first");
    return this.#flow;
  }

  /** Makes the model, waits for its conductors, makes version 1 so, and lets the flights flow from then on. */
  async begin(signal: AbortSignal): Promise<void> {
    const { model, rate, clock, ingresses, leaseMs } = this.#options;
    await this.#story.begin(`the compensation job of ${model}`, CONDUCTORS, signal);
    const { version } = await this.#make(1, signal);
    if (version !== 1) throw new Error(`the first version is ${version}`);
    const stream = `${this.parent}/streams/flights`;
    this.#flow = new Flow({
      publisher: new Publisher(clock, { stream, rate }),
      inputs: this.#inputs,
      ingresses,
      clock,
      silenceMs: SILENCE_LEASES * leaseMs,
      patienceMs: PATIENCE_LEASES * leaseMs,
    });
    this.#flow.start();
  }

  /** Ends the flow at once. */
  async end(): Promise<void> {
    await this.#flow?.end();
  }

  /**
   * Makes the other rules so; resolves when that is settled: every voter has confirmed it. Goes on through the death of
   * whom it talks to, and makes a new proposal where one was aborted for that. Rejects on a veto.
   */
  async change(signal: AbortSignal): Promise<Change> {
    const rules = this.#rules === 1 ? 2 : 1;
    const change = await this.#make(rules, signal);
    this.#rules = rules;
    return change;
  }

  /** Stops the flow, waits until all of it is acknowledged and read, and checks every row against the flights. */
  async check(signal: AbortSignal): Promise<CheckReport> {
    const { clients, clock, lanes, model } = this.#options;
    const sent = await this.flow.stop();
    const reading = { parent: this.parent, stream: "flights", query: "compensation" };
    await this.#patiently(() => drained(clients, reading, clock, signal), signal);
    const rules = await this.rulesByVersion(signal);
    const id = (kind: string, name: string) => entityIdentity(entityKey(kind, name), 1);
    const byHand = { 1: compensationByHand(1), 2: compensationByHand(2) };
    return check(
      lanes,
      {
        model: modelId(model),
        source: id("stream", "flights"),
        target: id("stream", "payouts"),
        query: id("query", "compensation"),
        published: { inputs: this.#inputs.slice(0, sent), producer: PRODUCER },
        evaluate: async (epoch, payload) => {
          const known = rules[epoch - 1];
          if (known === undefined) throw new Error(`an entry under epoch ${epoch}, which nobody committed`);
          return byHand[known](payload);
        },
        switchEpoch: rules.length,
      },
      signal,
    );
  }

  /** Which rules each version has, from version 1 on; as the coordinator tells it, not as this test remembers it. */
  async rulesByVersion(signal: AbortSignal): Promise<readonly Rules[]> {
    const byVersion = new Map<number, Rules>();
    let head = 0;
    for (const { version, committed, reason } of await this.#proposals(signal)) {
      if (!committed) continue;
      head = Math.max(head, Number(version));
      if (reason === reasonOf(1)) byVersion.set(Number(version), 1);
      if (reason === reasonOf(2)) byVersion.set(Number(version), 2);
    }
    const rules: Rules[] = [];
    // A version of somebody else's, as of a conductor that joins, changes no rules.
    for (let version = 1; version <= head; version += 1)
      rules.push(byVersion.get(version) ?? rules.at(-1) ?? 1);
    return rules;
  }

  async #make(rules: Rules, signal: AbortSignal): Promise<Change> {
    const aborted: Proposal[] = [];
    for (;;) {
      const proposal = await this.#attempt(rules, signal);
      if (proposal === undefined) {
        await this.#options.clock.sleep(AGAIN_MS, signal);
      } else if (proposal.committed) {
        return { version: Number(proposal.version), rules, proposal, aborted };
      } else {
        const [veto] = vetoesOf(proposal);
        if (veto !== undefined)
          throw new Error(`vetoed by ${veto.conductor}: ${veto.entity}: ${veto.message}`);
        aborted.push(proposal);
      }
    }
  }

  /** A draft, made so: as it was settled. Undefined where it is not known to have begun; its like may still come. */
  async #attempt(rules: Rules, signal: AbortSignal): Promise<Proposal | undefined> {
    const { commit } = this.#options.clients;
    this.#drafts += 1;
    let draft: { readonly name: string; readonly etag: string };
    try {
      draft = await this.#story.draft(`change-${this.#drafts}`, this.#entities[rules], true, signal);
    } catch (error) {
      if (isPassing(error)) return undefined;
      throw error;
    }
    let name: string;
    try {
      const made = { draft: draft.name, etag: draft.etag, reason: reasonOf(rules) };
      ({ name } = await commit.makeItSo(made, { signal }));
    } catch (error) {
      if (!isPassing(error)) throw error;
      const found = (await this.#proposals(signal)).find((each) => each.draft === draft.name);
      if (found === undefined) return undefined;
      ({ name } = found);
    }
    return until(async () => {
      const now = await this.#patiently(() => commit.getProposal({ name }, { signal }), signal);
      return now.phase === Phase.SETTLED ? now : undefined;
    }, signal);
  }

  async #proposals(signal: AbortSignal): Promise<readonly Proposal[]> {
    const { commit } = this.#options.clients;
    const found: Proposal[] = [];
    let pageToken = "";
    do {
      const request = { parent: this.parent, pageSize: PAGE, pageToken };
      const page = await this.#patiently(() => commit.listProposals(request, { signal }), signal);
      found.push(...page.proposals);
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
    return found;
  }

  /** For calls that may be repeated. */
  async #patiently<T>(call: () => Promise<T>, signal: AbortSignal): Promise<T> {
    for (;;) {
      try {
        return await call();
      } catch (error) {
        signal.throwIfAborted();
        if (!isPassing(error)) throw error;
        await this.#options.clock.sleep(AGAIN_MS, signal);
      }
    }
  }
}

/** Every conductor has something to prepare: the stream of payouts changes, too. */
function described(entity: EntityFile): EntityFile {
  if (entity.kind !== "stream" || entity.name !== "payouts") return entity;
  const schema = { ...(entity.spec["schema"] as object), description: "by the kilometre" };
  return { ...entity, spec: { ...entity.spec, schema } };
}

const isPassing = (error: unknown): boolean => error instanceof GrecoError && PASSING.has(error.code);

/** The flights again and again. */
function endless(flights: readonly unknown[]): readonly unknown[] {
  const repeats = Math.ceil(INPUTS_MAX / flights.length);
  return Array.from({ length: repeats }, () => flights).flat();
}
