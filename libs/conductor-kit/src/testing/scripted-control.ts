/**
 * A control plane that does what a test tells it, over real gRPC on loopback: it keeps one model, announces
 * commands on the control log, and shows what conductors answer.
 */
import { createHash } from "node:crypto";
import { create, toBinary, type MessageInitShape } from "@bufbuild/protobuf";
import {
  ChunkSchema,
  CommandSchema,
  ConductorService,
  Conductor_State,
  type AnswerCommandRequest,
  type RegisterConductorRequest,
} from "@greco/contracts/greco/conductor/v1/conductor";
import { Difference_Kind, type ChangeSchema } from "@greco/contracts/greco/model/v1/model";
import { RegistryService, type CandidateSchema } from "@greco/contracts/greco/registry/v1/registry";
import type { ControlLog, Log } from "@greco/ports";
import { createClient, type Client } from "@greco/sdk";
import { serve } from "@greco/service-kit";
import { implementPartly, trustingAuthority } from "@greco/service-kit/testing";

type ChangeInit = MessageInitShape<typeof ChangeSchema>;
type CandidateInit = MessageInitShape<typeof CandidateSchema>;
type CommandInit = MessageInitShape<typeof CommandSchema>;

export type Proposal = {
  readonly id: string;
  readonly digest: string;
  readonly candidate: CandidateInit;
  readonly changes: ChangeInit[];
};

export type ProposalOptions = {
  /** Spec by `kind/name`; undefined: deleted. */
  readonly changes: Readonly<Record<string, unknown>>;
  readonly referring?: readonly string[];
  readonly restoresVersion?: number;
  readonly base?: number;
};

type Row = { readonly specJson: string; readonly createdVersion: number };

const entity = (name: string): string => `models/m/entities/${name}`;

export class ScriptedControl implements AsyncDisposable {
  readonly answers: AnswerCommandRequest[] = [];
  readonly registrations: RegisterConductorRequest[] = [];
  readonly snapshots: number[] = [];
  /** What a registration is told to be. */
  state: Conductor_State = Conductor_State.ACTIVE;
  /** Throws what an answer is to be refused with. */
  refuse: (answer: AnswerCommandRequest) => void = () => undefined;
  head = 0;
  /** Who is told. */
  conductor = "c";
  readonly #rows = new Map<string, Row>();
  /** What stood at versions below the head. */
  readonly #history = new Map<number, ReadonlyMap<string, Row>>();
  readonly #proposals = new Map<string, Proposal>();
  readonly #controlLog: ControlLog;
  readonly #stack = new AsyncDisposableStack();
  #messages = 0;
  address = "";

  private constructor(controlLog: ControlLog) {
    this.#controlLog = controlLog;
  }

  static async start(controlLog: ControlLog, log: Log, signal: AbortSignal): Promise<ScriptedControl> {
    const control = new ScriptedControl(controlLog);
    const services = [control.#conductorService(), control.#registryService()];
    const listen = { host: "127.0.0.1", port: 0 };
    const server = await serve({ services, listen, authority: trustingAuthority(), log }, signal);
    control.#stack.use(server);
    control.address = server.address;
    return control;
  }

  clients(): { coordinator: Client<typeof ConductorService>; registry: Client<typeof RegistryService> } {
    const { address } = this;
    return {
      coordinator: this.#stack.use(createClient(ConductorService, { address, deadlineMs: 5_000 })),
      registry: this.#stack.use(createClient(RegistryService, { address, deadlineMs: 5_000 })),
    };
  }

  #conductorService() {
    return implementPartly(ConductorService, {
      registerConductor: async (request) => {
        this.registrations.push(request);
        return { conductor: { name: request.name, model: request.model, state: this.state } };
      },
      answerCommand: async (request) => {
        this.refuse(request);
        this.answers.push(request);
        return {};
      },
    });
  }

  #registryService() {
    const rows = (version: bigint): { name: string; specJson: string; createdVersion: bigint }[] =>
      [...(this.#history.get(Number(version)) ?? this.#rows)].map(([name, { specJson, createdVersion }]) => ({
        name: entity(name),
        specJson,
        createdVersion: BigInt(createdVersion),
      }));
    const { head, snapshots } = { head: () => this.head, snapshots: this.snapshots };
    const proposals = this.#proposals;
    return implementPartly(RegistryService, {
      listModels: async () => ({ models: [{ name: "models/m" }] }),
      snapshot: async function* ({ view }) {
        const version = view?.at.case === "version" ? view.at.value : BigInt(head());
        snapshots.push(Number(version));
        yield { version, entities: rows(version), last: true };
      },
      getCandidateChanges: async function* (request) {
        const proposal = proposals.get(request.candidate);
        yield { candidate: proposal?.candidate ?? {}, changes: proposal?.changes ?? [] };
      },
    });
  }

  /** Puts the model where it is, as if it had been committed: `stream/flights` → its spec. */
  seed(specs: Readonly<Record<string, unknown>>): void {
    this.head = 1;
    for (const [name, spec] of Object.entries(specs))
      this.#rows.set(name, { specJson: JSON.stringify(spec), createdVersion: 1 });
  }

  propose(id: string, options: ProposalOptions): Proposal {
    const base = options.base ?? this.head;
    const changes = Object.entries(options.changes).map(([name, spec]): ChangeInit => ({
      entity: entity(name),
      action:
        spec === undefined
          ? { case: "delete", value: true }
          : { case: "putSpecJson", value: JSON.stringify(spec) },
    }));
    const digest = createHash("sha256")
      .update(JSON.stringify([id, changes.length]))
      .digest("hex");
    const affected = [...Object.keys(options.changes), ...(options.referring ?? [])].map((name) => {
      const row = this.#rows.get(name);
      return {
        entity: entity(name),
        createdVersion: BigInt(row?.createdVersion ?? base + 1),
        change: this.#kindOfChange(name, options),
        claimRequired: true,
      };
    });
    const candidate: CandidateInit = {
      id,
      model: "models/m",
      baseVersion: BigInt(base),
      digest,
      proposalId: id,
      affected,
      restoresVersion: BigInt(options.restoresVersion ?? 0),
    };
    const proposal = { id, digest, candidate, changes };
    this.#proposals.set(id, proposal);
    return proposal;
  }

  #kindOfChange(name: string, { changes }: ProposalOptions): Difference_Kind {
    if (!(name in changes)) return Difference_Kind.UNSPECIFIED;
    if (changes[name] === undefined) return Difference_Kind.DELETE;
    return this.#rows.has(name) ? Difference_Kind.UPDATE : Difference_Kind.CREATE;
  }

  /** The head moves; announced to all as a chain unless it is to be lost. */
  async commit({ candidate, changes }: Proposal, lost = false): Promise<number> {
    this.#history.set(this.head, new Map(this.#rows));
    this.head += 1;
    for (const { entity: name = "", action } of changes) {
      const key = name.replace("models/m/entities/", "");
      if (action?.case !== "putSpecJson") this.#rows.delete(key);
      else {
        const createdVersion = this.#rows.get(key)?.createdVersion ?? this.head;
        this.#rows.set(key, { specJson: action.value ?? "", createdVersion });
      }
    }
    const version = BigInt(this.head);
    if (!lost)
      await this.announce(`v${this.head}`, [], {
        case: "committed",
        value: { candidate, changes, version },
      });
    return this.head;
  }

  review(
    { id, candidate, changes }: Proposal,
    more: { wayBack?: boolean; planOnly?: boolean; join?: boolean } = {},
  ) {
    return this.announce(`${id}.review`, [this.conductor], {
      case: "review",
      value: { candidate, changes, ...more },
    });
  }

  prepare({ id, candidate }: Proposal, remaining?: { seconds: bigint; nanos: number }) {
    const value = remaining === undefined ? { candidate } : { candidate, remaining };
    return this.announce(`${id}.prepare`, [this.conductor], { case: "prepare", value });
  }

  settle(
    { id, digest, candidate }: Proposal,
    outcome: { committed: boolean; armed?: boolean; disarm?: boolean },
  ) {
    const { committed, armed = false, disarm = false } = outcome;
    const version = BigInt(committed ? this.head : 0);
    const base = candidate.baseVersion ?? 0n;
    const value = { candidate: id, digest, committed, version, armed, baseVersion: base };
    return this.announce(`${id}.${disarm ? "disarm" : "settle"}`, [this.conductor], {
      case: "settle",
      value,
    });
  }

  /** As pieces of `pieceBytes`; every announcement has a message id of its own. */
  async announce(
    commandId: string,
    conductors: readonly string[],
    command: NonNullable<CommandInit["command"]>,
    pieceBytes = 200,
  ): Promise<void> {
    const addressees = conductors.map((name) => `conductors/${name}`);
    const whole = toBinary(
      CommandSchema,
      create(CommandSchema, { commandId, model: "models/m", addressees, command }),
    );
    const digest = createHash("sha256").update(whole).digest("hex");
    const count = Math.ceil(whole.length / pieceBytes);
    this.#messages += 1;
    const messageId = `${this.#messages}`;
    for (let index = 0; index < count; index++) {
      const payload = whole.slice(index * pieceBytes, (index + 1) * pieceBytes);
      const chunk = create(ChunkSchema, { messageId, index, count, digest, payload });
      const bytes = toBinary(ChunkSchema, chunk);
      await this.#controlLog.publish("m", `${messageId}.${index}`, bytes, new AbortController().signal);
    }
  }

  /** Answers to a command, in the order in which they came. */
  answersTo(commandId: string): readonly AnswerCommandRequest[] {
    return this.answers.filter((answer) => answer.commandId === commandId);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack[Symbol.asyncDispose]();
  }
}
