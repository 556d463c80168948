/**
 * Looks at one function, decides (next-step.ts), does one thing, and looks again, until the version that is wanted is
 * ready. Who calls it again after a crash gets to the same version.
 *
 * M1 (K3). It settles only when no request of its is under way: what was sent is awaited, and what had no answer gets
 * its quiet time before anybody may undo behind it.
 * M2. What may pass (409, 429, 5xx, no answer) is repeated with pauses until the signal; the rest is final.
 */
import type { Clock, Ids, Log } from "@greco/ports";
import { FunctionError, isRoleTrouble, refusalOf } from "./function-error.ts";
import type { LambdaLimits } from "./limits.ts";
import { nextStep, nothingSeen, type ConcurrencyRule, type Seen, type Step } from "./next-step.ts";
import { OPERATIONS } from "./operations.ts";
import { jitteredMs } from "./rate.ts";
import { RegionError, type Region } from "./region.ts";
import type { WantedFunction } from "./wanted.ts";

export type Workshop = {
  readonly region: Region;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Log;
  readonly limits: LambdaLimits;
};

export type Made = { readonly version: string; readonly arn: string };

export type About = {
  /** Of a version that is published now. */
  readonly description: string;
  readonly concurrency: ConcurrencyRule;
  /** Called before more is reserved or kept warm: of what others may use, too. */
  readonly raises: () => void;
};

/** Rejects with a `FunctionError`, whose reason is NOT_READY_IN_TIME where the signal ended it. */
export function makeFunction(
  workshop: Workshop,
  wanted: WantedFunction,
  about: About,
  signal: AbortSignal,
): Promise<Made> {
  return new Making(workshop, wanted, about).run("version", signal);
}

/** Only $LATEST gets the content; nothing is published. */
export async function makeLatest(
  workshop: Workshop,
  wanted: WantedFunction,
  signal: AbortSignal,
): Promise<void> {
  await new Making(workshop, wanted, { description: "", concurrency: "leave", raises: () => undefined }).run(
    "latest",
    signal,
  );
}

/** Steps that are a write, as the region calls them. */
type Writing = Extract<
  Step,
  {
    readonly do: "create" | "updateConfiguration" | "updateCode" | "publish" | "raiseReserved" | "provision";
  }
>;

const never = new AbortController().signal;

class Making {
  readonly #workshop: Workshop;
  readonly #wanted: WantedFunction;
  readonly #about: About;
  #seen: Seen = nothingSeen;
  /** Looks at the same thing since something else was done. */
  #waits = 0;
  /** Refusals in a row. */
  #refusals = 0;
  #roleTries = 0;
  /** 412s and updates: more of them than a make needs are somebody else's edits. */
  #edits = 0;
  #updates = 0;
  /** M1: until when a write without an answer may land. */
  #quietUntilMs = Number.NEGATIVE_INFINITY;
  #unguarded = false;
  /** For people, when the time is over. */
  #why = "it was not looked at yet";

  constructor(workshop: Workshop, wanted: WantedFunction, about: About) {
    this.#workshop = workshop;
    this.#wanted = wanted;
    this.#about = about;
  }

  async run(goal: "version" | "latest", signal: AbortSignal): Promise<Made> {
    try {
      const made = await this.#loop(goal, signal);
      // What no RevisionId holds back may land behind its own undo.
      if (this.#unguarded) await this.#quiet();
      return made;
    } catch (error) {
      await this.#quiet();
      if (error instanceof FunctionError || !signal.aborted) throw error;
      throw new FunctionError("NOT_READY_IN_TIME", `it was not ready in time: ${this.#why}`, error);
    }
  }

  async #quiet(): Promise<void> {
    const { clock } = this.#workshop;
    const waitMs = this.#quietUntilMs - clock.monotonicMs();
    if (waitMs > 0) await clock.sleep(waitMs, never);
  }

  async #loop(goal: "version" | "latest", signal: AbortSignal): Promise<Made> {
    for (;;) {
      signal.throwIfAborted();
      const seen: Seen = goal === "latest" ? { ...this.#seen, versions: [] } : this.#seen;
      const step = nextStep({ ...this.#wanted, concurrency: this.#about.concurrency }, seen);
      if (step.do === "done") return { version: step.version, arn: step.arn };
      if (step.do === "fail") throw new FunctionError(step.reason, step.message);
      if (step.do === "publish" && goal === "latest") return { version: "$LATEST", arn: "" };
      if (step.do === "wait") {
        await this.#wait(step, signal);
        continue;
      }
      this.#waits = step.do === "look" || step.do.startsWith("lookAt") ? this.#waits : 0;
      try {
        await this.#perform(step, signal);
        this.#refusals = 0;
      } catch (error) {
        this.#owesQuiet(step, error);
        signal.throwIfAborted();
        await this.#afterTrouble(step, error, signal);
      }
    }
  }

  async #wait(step: Extract<Step, { readonly do: "wait" }>, signal: AbortSignal): Promise<void> {
    const { clock, ids, limits } = this.#workshop;
    this.#why = step.why;
    const pauseMs = Math.min(limits.pollMaxMs, limits.pollMinMs * 2 ** Math.min(this.#waits, 20));
    this.#waits += 1;
    await clock.sleep(pauseMs * (0.5 + ids.random() / 2), signal);
    if (step.then === "look") this.#seen = { ...this.#seen, latest: "unknown" };
    else if (step.then === "lookAtVersion") this.#seen = { ...this.#seen, version: "unknown" };
    else this.#seen = { ...this.#seen, provisioned: "unknown" };
  }

  async #perform(
    step: Exclude<Step, { readonly do: "wait" | "fail" | "done" }>,
    signal: AbortSignal,
  ): Promise<void> {
    const { region } = this.#workshop;
    const { name } = this.#wanted;
    switch (step.do) {
      case "look": {
        const latest = (await region.getFunction(name, undefined, signal)) ?? "absent";
        // Without the function there are no versions.
        const versions = latest === "absent" ? [] : this.#seen.versions;
        this.#seen = { ...this.#seen, latest, versions };
        return;
      }
      case "listVersions":
        this.#seen = { ...this.#seen, versions: await region.listVersions(name, signal), version: "unknown" };
        return;
      case "lookAtVersion": {
        const version = await region.getFunction(name, step.version, signal);
        if (version !== undefined) this.#seen = { ...this.#seen, version };
        else await this.#versionGone(step.version, signal);
        return;
      }
      case "lookAtProvisioned": {
        const provisioned = (await region.getProvisioned(name, step.version, signal)) ?? "none";
        this.#seen = { ...this.#seen, provisioned };
        return;
      }
      default:
        return this.#write(step, signal);
    }
  }

  /** Deleted since it was listed, or not to be seen yet. */
  async #versionGone(version: string, signal: AbortSignal): Promise<void> {
    await this.#wait({ do: "wait", why: `version ${version} is not to be seen`, then: "look" }, signal);
    this.#seen = { ...this.#seen, versions: "unknown", version: "unknown" };
  }

  async #write(step: Writing, signal: AbortSignal): Promise<void> {
    const { region, limits } = this.#workshop;
    const { name, config, codeSha256, tags } = this.#wanted;
    switch (step.do) {
      case "create": {
        const zip = await this.#wanted.zip(signal);
        await region.createFunction(
          { name, config, zip, tags, description: this.#about.description },
          signal,
        );
        this.#seen = { ...this.#seen, latest: "unknown", versions: [], created: true };
        return;
      }
      case "updateConfiguration":
        this.#countUpdate(limits.editsMax);
        await region.updateConfiguration({ name, config, revisionId: step.revisionId }, signal);
        this.#updates += 1;
        this.#seen = { ...this.#seen, latest: "unknown", updated: true };
        return;
      case "updateCode": {
        this.#countUpdate(limits.editsMax);
        const zip = await this.#wanted.zip(signal);
        const { architecture } = config;
        await region.updateCode({ name, zip, architecture, revisionId: step.revisionId }, signal);
        this.#updates += 1;
        this.#seen = { ...this.#seen, latest: "unknown", updated: true };
        return;
      }
      case "publish": {
        this.#countUpdate(limits.editsMax);
        const { revisionId } = step;
        const about = { name, codeSha256, revisionId, description: this.#about.description };
        const published = await region.publishVersion(about, signal);
        this.#updates += 1;
        const before = this.#seen.versions === "unknown" ? [] : this.#seen.versions;
        const versions = [...before.filter((each) => each.version !== published.version), published];
        this.#seen = { ...this.#seen, versions, version: "unknown" };
        return;
      }
      case "raiseReserved":
        this.#about.raises();
        if (step.to === undefined) await region.deleteReserved(name, signal);
        else await region.putReserved(name, step.to, signal);
        this.#seen = { ...this.#seen, latest: "unknown" };
        return;
      case "provision":
        this.#about.raises();
        await region.putProvisioned(name, step.version, step.count, signal);
        this.#seen = { ...this.#seen, provisioned: "unknown", provided: true };
        return;
    }
  }

  /** A make needs three writes to $LATEST; each of more was undone by somebody. */
  #countUpdate(editsMax: number): void {
    if (this.#updates >= 3 + editsMax) throw this.#edited();
  }

  #edited(): FunctionError {
    return new FunctionError(
      "EDITED_BY_OTHERS",
      `somebody else edits it: ${this.#edits + this.#updates} times it was not as it was left`,
    );
  }

  /** M1 */
  #owesQuiet(step: Step, error: unknown): void {
    if (!(error instanceof RegionError) || error.kind !== "unknown" || !isWrite(error.operation)) return;
    const { clock, limits } = this.#workshop;
    this.#quietUntilMs = clock.monotonicMs() + limits.quietMs;
    this.#unguarded ||= step.do === "create" || step.do === "raiseReserved" || step.do === "provision";
  }

  /** M2. Whatever came, everything is looked at again. */
  async #afterTrouble(step: Step, error: unknown, signal: AbortSignal): Promise<void> {
    if (!(error instanceof RegionError)) throw error;
    const { clock, ids, limits, log } = this.#workshop;
    const { kind } = error;
    this.#why = error.message;
    log.debug("lambda.step-failed", { function: this.#wanted.name, step: step.do, kind, error });
    if (kind === "precondition" && ++this.#edits > limits.editsMax) throw this.#edited();
    const roleTrouble = kind === "refused" && isRoleTrouble(error);
    if (roleTrouble && ++this.#roleTries > limits.roleTriesMax) throw refusalOf(error);
    if (kind === "denied" || (kind === "refused" && !roleTrouble)) throw refusalOf(error);
    const { created, updated, provided } = this.#seen;
    this.#seen = { ...nothingSeen, created, updated, provided };
    const { backoffMinMs: minMs, backoffMaxMs: maxMs } = limits;
    await clock.sleep(jitteredMs({ minMs, maxMs }, this.#refusals++, ids), signal);
  }
}

const isWrite = (operation: string): boolean =>
  OPERATIONS[operation as keyof typeof OPERATIONS]?.writes ?? false;
