/**
 * A conductor that does as it is told by its test, over the same wires as a real one: it hears the control log,
 * answers by gRPC, and repeats its first answer.
 */
import { createHash } from "node:crypto";
import { fromBinary, type MessageInitShape } from "@bufbuild/protobuf";
import {
  ChunkSchema,
  CommandSchema,
  type AnswerCommandRequestSchema,
  type Command,
  type Conductor,
  type ConductorService,
  type Review,
} from "@greco/contracts/greco/conductor/v1/conductor";
import { Severity } from "@greco/contracts/greco/model/v1/model";
import type { ControlLog } from "@greco/ports";
import type { Client } from "@greco/sdk";

export type AnswerInit = MessageInitShape<typeof AnswerCommandRequestSchema>;
export type AnswerCase = NonNullable<AnswerInit["answer"]>;

export type Script = {
  readonly kinds?: readonly string[];
  readonly incarnation?: number;
  /** Undefined: it says nothing. Default: accepts, claims everything, and has still to prepare. */
  readonly review?: (review: Review, command: Command) => AnswerCase | undefined;
  readonly prepare?: (command: Command) => AnswerCase | undefined;
  readonly settle?: (command: Command) => boolean;
  /** Default: it has nothing to look at. */
  readonly inspect?: (command: Command) => AnswerCase | undefined;
};

export const HASH: string = "a".repeat(64);

export const finding = {
  severity: Severity.ERROR,
  entity: "models/m/entities/stream/x",
  fieldPath: "schema",
  reason: "TOO_WIDE",
  message: "it is too wide",
  remedy: "make it narrow",
};

export const veto: AnswerCase = { case: "veto", value: { findings: [finding] } };
export const failed: AnswerCase = { case: "failed", value: { findings: [finding] } };

export const claimsOf = ({ candidate }: Review): string[] =>
  (candidate?.affected ?? []).filter((each) => each.claimRequired).map((each) => each.entity);

export function accept(claims: string[]): AnswerCase {
  return { case: "accept", value: { plan: { claims } } };
}

/** Nothing to prepare. */
export function acceptReady(claims: string[] = []): AnswerCase {
  return { case: "accept", value: { plan: { claims }, ready: { bindings: [] } } };
}

/** Votes, and owns nothing. */
export const bystander: Script = { review: () => acceptReady() };

/** What an answer may say otherwise than it should. */
export type Subject = {
  conductor?: string;
  incarnation?: bigint;
  commandId?: string;
  candidate?: string;
  digest?: string;
};

type Parts = {
  readonly name: string;
  readonly model: string;
  readonly script: Script;
  readonly client: Client<typeof ConductorService>;
  readonly log: ControlLog;
};

export class ScriptedConductor implements AsyncDisposable {
  readonly name: string;
  readonly model: string;
  readonly heard: Command[] = [];
  readonly refusals: unknown[] = [];
  client: Client<typeof ConductorService>;
  script: Script;
  readonly #log: ControlLog;
  readonly #first = new Map<string, AnswerCase>();
  readonly #stopping = new AbortController();
  readonly #listening: Promise<void>;

  constructor({ name, model, script, client, log }: Parts) {
    this.name = name;
    this.model = model;
    this.script = script;
    this.client = client;
    this.#log = log;
    this.#listening = this.#listen();
  }

  get incarnation(): number {
    return this.script.incarnation ?? 1;
  }

  async register(): Promise<Conductor | undefined> {
    const { conductor } = await this.client.registerConductor(
      {
        name: `conductors/${this.name}`,
        model: `models/${this.model}`,
        kinds: [...(this.script.kinds ?? [])],
        incarnation: BigInt(this.incarnation),
      },
      { signal: this.#stopping.signal },
    );
    return conductor;
  }

  /** Commands of a kind, addressed to it or to all. */
  told(kind: NonNullable<Command["command"]["case"]>): Command[] {
    return this.heard.filter((command) => command.command.case === kind);
  }

  async answer(command: Pick<Command, "commandId">, answer: AnswerCase, more: Subject = {}): Promise<void> {
    const heard = this.heard.find((each) => each.commandId === command.commandId);
    await this.client.answerCommand(
      {
        conductor: `conductors/${this.name}`,
        model: `models/${this.model}`,
        incarnation: BigInt(this.incarnation),
        commandId: command.commandId,
        ...(heard === undefined ? {} : subjectOf(heard)),
        answer,
        ...more,
      },
      { signal: this.#stopping.signal },
    );
  }

  async #listen(): Promise<void> {
    const pieces = new Map<string, Uint8Array[]>();
    const { signal } = this.#stopping;
    try {
      for await (const { payload } of this.#log.subscribe(this.model, 0, signal)) {
        const chunk = fromBinary(ChunkSchema, payload);
        const whole = pieces.get(chunk.messageId) ?? [];
        whole[chunk.index] = chunk.payload;
        pieces.set(chunk.messageId, whole);
        if (Object.keys(whole).length < chunk.count) continue;
        const bytes = Buffer.concat(whole);
        if (createHash("sha256").update(bytes).digest("hex") !== chunk.digest) throw new Error("digest");
        this.#obey(fromBinary(CommandSchema, bytes)).catch((error: unknown) => this.refusals.push(error));
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  async #obey(command: Command): Promise<void> {
    this.heard.push(command);
    if (!command.addressees.includes(`conductors/${this.name}`)) return;
    const answer = this.#first.get(command.commandId) ?? this.#opinion(command);
    if (answer === undefined) return;
    this.#first.set(command.commandId, answer);
    await this.answer(command, answer);
  }

  #opinion(command: Command): AnswerCase | undefined {
    const { review = defaultReview, prepare = defaultPrepare, settle = () => true } = this.script;
    switch (command.command.case) {
      case "review":
        return review(command.command.value, command);
      case "prepare":
        return prepare(command);
      case "settle":
        if (!settle(command)) return undefined;
        return { case: "settled", value: { committed: command.command.value.committed } };
      case "inspect":
        return (this.script.inspect ?? defaultInspect)(command);
      default:
        return undefined;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping.abort(new Error("the conductor stops"));
    await this.#listening;
  }
}

const defaultReview: NonNullable<Script["review"]> = (review) => accept(claimsOf(review));

const defaultInspect: NonNullable<Script["inspect"]> = () => ({
  case: "inspected",
  value: { supported: false },
});

const defaultPrepare: NonNullable<Script["prepare"]> = (command) => {
  const candidate = command.command.case === "prepare" ? command.command.value.candidate : undefined;
  const bindings = (candidate?.affected ?? []).map(({ entity, createdVersion }) => {
    const [, , , kind = "", name = ""] = entity.split("/");
    return { kind, entity: name, createdVersion, hash: HASH };
  });
  return { case: "ready", value: { bindings } };
};

function subjectOf({ command }: Command): { candidate?: string; digest?: string } {
  switch (command.case) {
    case "review":
    case "prepare":
      return { candidate: command.value.candidate?.id ?? "", digest: command.value.candidate?.digest ?? "" };
    case "settle":
      return { candidate: command.value.candidate, digest: command.value.digest };
    default:
      return {};
  }
}
