/**
 * One model with one query, on which one cell after the other is run: the operation is proposed, the trouble happens at
 * its call, and then everything that must be so is waited for, or must be so at once.
 */
import { Phase, type Proposal } from "@greco/contracts/greco/commit/v1/commit";
import { systemClock } from "@greco/service-kit";
import type { Call } from "../../../../../tools/lambda-faults/call.ts";
import type { When } from "../../../../../tools/lambda-faults/fault.ts";
import type { LambdaFaults } from "../../../../../tools/lambda-faults/lambda-faults.ts";
import type { Clients } from "../../story.ts";
import { arm, type ArmedTrouble } from "./arming.ts";
import type { Aws } from "./aws.ts";
import type { Cell } from "./cells.ts";
import type { Kill } from "./kill.ts";
import { Messages } from "./messages.ts";
import { BROKEN, operations, type OperationName, type QueryState } from "./operations.ts";
import { QUERY, specOf, type History, type InForce } from "./query.ts";
import { standingProblems } from "./standing.ts";
import { isWrite, Steps, type Step } from "./steps.ts";

const LOOK_MS = 400;
/** Several calls of AWS each, which has one processor for all. */
const LEVEL_MS = 1_000;
/** Under each epoch, and behind each abort. */
const MESSAGES = 2;
const ALWAYS = 1_000_000;

export type StageParts = {
  /** `m3` */
  readonly model: string;
  /** What the names of its functions begin with. */
  readonly prefix: string;
  /** What its functions run as, so that a GetRole is known to be for them. */
  readonly role: { readonly name: string; readonly arn: string };
  readonly aws: Aws;
  readonly proxy: LambdaFaults;
  readonly clients: Clients;
  readonly history: History;
};

export type Ended = {
  readonly outcome: "committed" | "aborted" | "undecided";
  /** Whether its call was made. */
  readonly met: boolean;
  readonly problems: readonly string[];
  /** As it was called, in its order. */
  readonly steps: readonly Step[];
};

export class Stage {
  readonly parts: StageParts;
  readonly messages: Messages;
  #state: QueryState | undefined;
  #factor = 1;
  #drafts = 0;
  /** While an operation is under way. */
  #steps = new Steps();
  #seen: Step[] = [];
  /** What AWS is told behind the crossing, it has been told: the look at provisioned concurrency is the last. */
  #told: "nothing" | "the alias" | "everything" = "nothing";
  /** Names of functions that anybody has asked for this model. */
  readonly #names = new Set<string>();
  /** Found at the moment when it happened. */
  readonly #wrong: string[] = [];
  /** Somebody else's, of a name that would have been ours. */
  #taken: { readonly name: string; readonly picture: string } | undefined;

  constructor(parts: StageParts) {
    this.parts = parts;
    this.messages = new Messages(parts.clients.ingress, `models/${parts.model}`);
  }

  get isPresent(): boolean {
    return this.#state !== undefined;
  }

  get inForce(): InForce | undefined {
    return this.parts.history.now;
  }

  /** Whether it is about this model. */
  isMine({ functionName, operation, request }: Call): boolean {
    const { prefix, role } = this.parts;
    if (operation === "GetRole")
      return (request.body as { RoleName?: string } | undefined)?.RoleName === role.name;
    return functionName.startsWith(prefix);
  }

  /** Of all calls that are about this model, before they are forwarded, and behind it. */
  note(call: Call, when: When): void {
    const { operation, functionName } = call;
    if (operation === "Invoke") {
      if (when === "after") this.messages.note(call);
      return;
    }
    if (when === "after") return this.#noteEffect(call);
    this.#seen.push(this.#steps.take(call));
    if (functionName !== "") this.#names.add(functionName);
    if (operation === "DeleteFunction") this.#watchDelete(call);
  }

  #noteEffect({ functionName, operation, forwarded }: Call): void {
    if (operation.endsWith("Alias")) this.#told = "the alias";
    if (operation === "GetProvisionedConcurrencyConfig" && this.#told === "the alias")
      this.#told = "everything";
    const hadEffect = isWrite(operation) && (forwarded?.status ?? 500) < 300;
    if (hadEffect && functionName === this.#taken?.name)
      this.#wrong.push(`${operation} of somebody else's ${functionName}`);
  }

  /** I13: no version goes that a lane has to read by, whatever else happens. */
  #watchDelete({ functionName, qualifier }: Call): void {
    const { history } = this.parts;
    const { now } = history;
    if (now?.functionName === functionName && (qualifier === undefined || qualifier === now.version))
      this.#wrong.push(`${functionName}:${qualifier ?? "*"} is deleted, and it is in force`);
    const versions = history.versions.filter((each) =>
      qualifier === undefined ? each.startsWith(`${functionName}:`) : each === `${functionName}:${qualifier}`,
    );
    for (const version of versions)
      for (const message of this.messages.waitingFor(version, history.versionAt))
        this.#wrong.push(`${version} is deleted, and ${message} waits for it`);
  }

  /** Whatever comes of it is told; what the signal ends was not as it must be until then. */
  async run(
    name: OperationName,
    cell: Cell | undefined,
    kill: Kill | undefined,
    signal: AbortSignal,
  ): Promise<Ended> {
    const operation = operations[name];
    this.#steps = new Steps();
    this.#seen = [];
    this.#told = "nothing";
    this.#factor += 1;
    const wanted = operation.next(this.#state, this.#factor);
    const trouble = cell === undefined ? undefined : this.#arm(cell, kill, signal);
    const broken = operation.aborts ? this.#broken() : undefined;
    let outcome: Ended["outcome"] = "undecided";
    let problems: readonly string[];
    try {
      const proposal = await this.#settled(await this.#propose(wanted, signal), signal);
      outcome = proposal.committed ? "committed" : "aborted";
      problems = [
        ...expectationOf(operation.aborts, cell, proposal),
        ...(proposal.committed
          ? await this.#afterCommit(Number(proposal.version), wanted, signal)
          : await this.#afterAbort(proposal.candidate, signal)),
      ];
    } catch (error) {
      problems = [`it did not end: ${String(error)}`];
    } finally {
      trouble?.disarm();
      broken?.disarm();
    }
    const taken = await this.#untaken(signal).catch((error: unknown) => [String(error)]);
    return {
      outcome,
      met: trouble?.met ?? true,
      problems: [...this.#wrong.splice(0), ...problems, ...taken],
      steps: this.#seen,
    };
  }

  #arm({ step, trouble }: Cell, kill: Kill | undefined, signal: AbortSignal): ArmedTrouble {
    const isLike = (call: Call): boolean => call.functionName === "" || this.isMine(call);
    const arming = {
      proxy: this.parts.proxy,
      step,
      // Of the account, and not of a model: whoever asks.
      isAt: (call: Call) =>
        step.operation === "GetAccountSettings" ||
        (this.isMine(call) && this.#steps.of(call).name === step.name),
      isLike,
      take: (name: string, tags: Readonly<Record<string, string>>) => this.#take(name, tags, signal),
    };
    return arm(arming, trouble, kill);
  }

  #broken(): { disarm(): void } {
    const matches = (call: Call): boolean => this.isMine(call);
    return this.parts.proxy.arm({ ...BROKEN, matches, times: ALWAYS });
  }

  async #take(name: string, tags: Readonly<Record<string, string>>, signal: AbortSignal): Promise<void> {
    const { aws } = this.parts;
    await aws.put(name, tags, signal);
    while (!(await aws.isActive(name, signal))) await systemClock.sleep(LOOK_MS, signal);
    this.#taken = { name, picture: (await aws.look(name, signal))?.picture ?? "" };
  }

  /** It is as they made it; and they take it away again. */
  async #untaken(signal: AbortSignal): Promise<readonly string[]> {
    if (this.#taken === undefined) return [];
    const { name, picture } = this.#taken;
    const found = await this.parts.aws.look(name, signal);
    this.#taken = undefined;
    await this.parts.aws.remove(name, signal);
    return found?.picture === picture ? [] : [`somebody else's ${name} is not as it was`];
  }

  /** The proposal's name. */
  async #propose(state: QueryState | undefined, signal: AbortSignal): Promise<string> {
    const { clients, model, role } = this.parts;
    const parent = `models/${model}`;
    this.#drafts += 1;
    const draftId = `cell-${this.#drafts}`;
    const { name, etag } = await clients.registry.createDraft({ parent, draftId }, { signal });
    const action =
      state === undefined
        ? ({ case: "delete", value: true } as const)
        : ({ case: "putSpecJson", value: JSON.stringify(specOf(state, role.arn)) } as const);
    const changes = [{ entity: `${parent}/entities/query/${QUERY}`, action }];
    const edited = await clients.registry.editDraft({ name, etag, changes }, { signal });
    const asked = { draft: name, etag: edited.draft?.etag ?? "", reason: "a cell" };
    return (await clients.commit.makeItSo(asked, { signal })).name;
  }

  async #settled(name: string, signal: AbortSignal): Promise<Proposal> {
    for (;;) {
      const proposal = await this.parts.clients.commit.getProposal({ name }, { signal });
      if (proposal.phase === Phase.SETTLED) return proposal;
      await systemClock.sleep(LOOK_MS, signal);
    }
  }

  /** The version is there and handles what is behind the marker; what it supersedes is gone. */
  async #afterCommit(
    version: number,
    state: QueryState | undefined,
    signal: AbortSignal,
  ): Promise<readonly string[]> {
    const { history } = this.parts;
    const former = history.now;
    await history.take(version, state, signal);
    this.#state = state;
    return this.#until(async () => {
      const rows = former === undefined ? [] : await history.rowsOf(former.candidate, signal);
      const told = history.now === undefined || this.#told === "everything";
      return [
        ...rows.map((row) => `the row of ${row} of the former version is still there`),
        ...(await this.#onAws(former?.functionName, signal)),
        ...(told ? [] : [`behind the crossing AWS was told ${this.#told}`]),
        ...enough(this.messages.since(version)),
      ];
    }, signal);
  }

  /** Nothing of the candidate is left, and everything goes on as before. */
  async #afterAbort(candidate: string, signal: AbortSignal): Promise<readonly string[]> {
    const { history } = this.parts;
    const had = this.messages.count;
    return this.#until(async () => {
      const rows = await history.rowsOf(candidate, signal);
      return [
        ...rows.map((row) => `the row of ${row} of the aborted candidate is still there`),
        ...(await this.#onAws(undefined, signal)),
        ...enough(this.messages.count - had),
      ];
    }, signal);
  }

  /** What is in force stands, alone; no other function of this model's is there but somebody else's. */
  async #onAws(former: string | undefined, signal: AbortSignal): Promise<readonly string[]> {
    const { aws, history } = this.parts;
    const { now } = history;
    if (former !== undefined) this.#names.add(former);
    const left: string[] = [];
    for (const name of this.#names) {
      if (name === this.#taken?.name || name === now?.functionName) continue;
      if ((await aws.look(name, signal)) !== undefined) left.push(`${name} is there`);
      else this.#names.delete(name);
    }
    if (now === undefined) return left;
    return [...left, ...standingProblems(now, await aws.look(now.functionName, signal))];
  }

  /** A level: empty once everything is as it must be. What is wrong for good ends the waiting. */
  async #until(look: () => Promise<readonly string[]>, signal: AbortSignal): Promise<readonly string[]> {
    let left: readonly string[] = ["nobody looked"];
    try {
      for (;;) {
        const { waiting, wrong } = this.messages.judge(this.parts.history.versionAt);
        if (wrong.length > 0) return wrong;
        left = [...(await look()), ...waiting];
        if (left.length === 0) return [];
        await systemClock.sleep(LEVEL_MS, signal);
      }
    } catch (error) {
      if (!signal.aborted) throw error;
      return left;
    }
  }
}

const enough = (count: number): readonly string[] =>
  count >= MESSAGES ? [] : [`${count} messages were stored since`];

function expectationOf(aborts: boolean, cell: Cell | undefined, proposal: Proposal): readonly string[] {
  const ends = aborts ? "aborted" : (cell?.trouble.ends ?? "committed");
  const ended = proposal.committed ? "committed" : "aborted";
  return ends === "either" || ends === ended ? [] : [`it was ${ended}: ${proposal.message}`];
}
