/**
 * The main job, end to end: begin a model, have a wrong draft vetoed, commit version 1, publish, commit
 * version 2 in mid-stream, wait for the last result, check everything.
 */
import { setTimeout as pause } from "node:timers/promises";
import { entityIdentity, entityKey, modelId } from "@greco/domain/model";
import { inferSchema } from "@greco/expression";
import type { Clock, LaneStore } from "@greco/ports";
import { check, type CheckReport } from "./checker.ts";
import { drained, StuckError } from "./drained.ts";
import type { EntityFile } from "@greco/entity-files";
import { type Evaluation, evaluationOf, queryOf } from "./evaluate.ts";
import type { Narrator } from "./narrator.ts";
import { Publisher, PRODUCER } from "./publisher.ts";
import { type Clients, committedVersion, Story, type Veto, vetoesOf } from "./story.ts";

export type Job = {
  readonly model: string;
  readonly title: string;
  readonly what: string;
  readonly inputs: readonly Record<string, unknown>[];
  readonly first: readonly EntityFile[];
  readonly second: readonly EntityFile[];
  /** A draft that must be vetoed, shown before version 1; none for a model of the user's own. */
  readonly wrong: readonly EntityFile[];
  readonly rate: number;
  /** How many of them have a say in it. */
  readonly conductors: number;
  /** What each version must give, worked out by hand: a second opinion that shares no code with Greco. */
  readonly byHand?: readonly [Evaluation, Evaluation];
};

export type JobResult = {
  readonly check: CheckReport;
  readonly vetoes: readonly Veto[];
  readonly epoch: number;
};

const inWords = (conductors: number): string =>
  ["no", "one", "two", "three", "four"][conductors] ?? String(conductors);

/** The change is asked for when this share of the inputs is published. */
const CHANGE_AT = 0.4;

/** A stream whose file leaves the schema out gets the one that the inputs show. */
export function withInferredSchema(
  entities: readonly EntityFile[],
  inputs: readonly unknown[],
): EntityFile[] {
  const { spec } = queryOf(entities);
  const known = entities.find((each) => each.kind === "stream" && each.name === spec.from);
  if (known?.spec["schema"] !== undefined) return [...entities];
  const streamSpec = { ...known?.spec, schema: inferSchema(inputs) };
  const stream: EntityFile = {
    kind: "stream",
    name: spec.from,
    spec: streamSpec,
    where: "inferred from the inputs",
  };
  return [stream, ...entities.filter((each) => each !== known)];
}

export class MainJob {
  readonly #job: Job;
  readonly #story: Story;
  readonly #clients: Clients;
  readonly #lanes: LaneStore;
  readonly #clock: Clock;
  readonly #tell: Narrator;

  constructor(parts: { job: Job; clients: Clients; lanes: LaneStore; clock: Clock; narrator: Narrator }) {
    this.#job = parts.job;
    this.#clients = parts.clients;
    this.#lanes = parts.lanes;
    this.#clock = parts.clock;
    this.#tell = parts.narrator;
    this.#story = new Story(parts.clients, parts.job.model);
  }

  async run(signal: AbortSignal): Promise<JobResult> {
    const { job } = this;
    this.#tell.step(
      `A model for ${job.title}, and ${inWords(job.conductors)} conductors that have a say in it`,
    );
    await this.#story.begin(job.title, job.conductors, signal);
    this.#tell.say(`models/${job.model}: conductors for streams, tables and queries are registered`);

    const vetoes = await this.#veto(signal);
    await this.#commit("version-1", job.first, "the first version", signal);

    this.#tell.step(`${job.inputs.length.toLocaleString("en-GB")} ${job.what} flow, ${job.rate} a second`);
    const stop = new AbortController();
    const all = AbortSignal.any([signal, stop.signal]);
    const from = queryOf(job.first).spec.from;
    const publisher = new Publisher(this.#clock, {
      stream: `${this.#story.parent}/streams/${from}`,
      rate: job.rate,
    });
    const published = publisher.publish(this.#clients.ingress, job.inputs, all);
    const watched = this.#watch(publisher, all);
    let epoch: number;
    try {
      await Promise.race([published, this.#whenPublished(publisher, CHANGE_AT, all)]);
      epoch = await this.#change(publisher, signal);
      await published;
    } finally {
      stop.abort();
      await watched;
    }
    this.#tell.say(`all ${publisher.progress.acknowledged.toLocaleString("en-GB")} are acknowledged`);
    return { check: await this.#checkAll(epoch, signal), vetoes, epoch };
  }

  get job(): Job {
    return this.#job;
  }

  async #veto(signal: AbortSignal): Promise<Veto[]> {
    const { wrong } = this.#job;
    if (wrong.length === 0) return [];
    this.#tell.step("A draft with a mistake: its query names a field that the stream does not have");
    const draft = await this.#story.draft("mistake", wrong, false, signal);
    const proposal = await this.#story.makeItSo(draft.name, draft.etag, "a try", signal);
    const vetoes = vetoesOf(proposal);
    if (vetoes.length === 0) throw new Error(`the mistaken draft was not vetoed: ${proposal.message}`);
    for (const veto of vetoes) {
      this.#tell.say(
        `vetoed by conductor ${veto.conductor}: ${veto.entity}, ${veto.fieldPath}, column ${veto.column}`,
      );
      this.#tell.say(`  ${veto.message}`);
      this.#tell.say(`  ${veto.remedy}`);
    }
    this.#tell.say("nothing has changed anywhere");
    return vetoes;
  }

  async #commit(
    id: string,
    entities: readonly EntityFile[],
    reason: string,
    signal: AbortSignal,
  ): Promise<number> {
    this.#tell.step(`${reason[0]?.toUpperCase()}${reason.slice(1)}: plan, then make it so`);
    const draft = await this.#story.draft(id, entities, true, signal);
    const plan = await this.#story.plan(draft.name, draft.etag, signal);
    for (const step of plan.steps) this.#tell.say(`plan  ${step}`);
    const proposal = await this.#story.makeItSo(draft.name, draft.etag, reason, signal);
    const version = committedVersion(proposal);
    this.#tell.say(
      `committed as version ${version}: ${proposal.voters.length} conductors said yes and were ready`,
    );
    return version;
  }

  async #change(publisher: Publisher, signal: AbortSignal): Promise<number> {
    const epoch = await this.#commit("version-2", this.#job.second, "the change, in mid-stream", signal);
    this.#tell.say(
      `${publisher.progress.acknowledged.toLocaleString("en-GB")} ${this.#job.what} were in when it was decided; each lane switches at its marker`,
    );
    return epoch;
  }

  async #whenPublished(publisher: Publisher, share: number, signal: AbortSignal): Promise<void> {
    while (publisher.progress.acknowledged < share * this.#job.inputs.length)
      await pause(20, undefined, { signal });
  }

  async #watch(publisher: Publisher, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const { acknowledged } = publisher.progress;
      this.#tell.live(
        `${acknowledged.toLocaleString("en-GB")} of ${this.#job.inputs.length.toLocaleString("en-GB")} published`,
      );
      await pause(200, undefined, { signal }).catch(() => undefined);
    }
  }

  /** Waits until the query has read every lane to its end of now, then checks. */
  async #checkAll(epoch: number, signal: AbortSignal): Promise<CheckReport> {
    const { first, second, inputs, model } = this.#job;
    const { name, spec } = queryOf(first);
    const id = modelId(model);
    // Everything of this model is made by version 1, so identities carry it.
    const created = epoch - 1;
    const evaluations = this.#job.byHand ?? [await evaluationOf(first), await evaluationOf(second)];
    const reading = { parent: this.#story.parent, stream: spec.from, query: name };
    await drained(this.#clients, reading, this.#clock, signal).catch((error: unknown) => {
      if (!(error instanceof StuckError)) throw error;
      // The checker will say what is missing.
      this.#tell.say(error.message);
    });
    return check(
      this.#lanes,
      {
        model: id,
        source: entityIdentity(entityKey("stream", spec.from), created),
        target: entityIdentity(entityKey("stream", spec.to), created),
        query: entityIdentity(entityKey("query", name), created),
        published: { inputs, producer: PRODUCER },
        evaluate: async (at, payload) => {
          const evaluate = evaluations[at >= epoch ? 1 : 0];
          if (at < created || evaluate === undefined)
            throw new Error(`an entry under epoch ${at}, before there was a query`);
          return evaluate(payload);
        },
        switchEpoch: epoch,
      },
      signal,
    );
  }
}
