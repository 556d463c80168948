/**
 * What conductors are told, over the control log (§4.2): each command chunked, with the digest of the whole, so
 * that it is acted on only when all of it is there. Durable at the log when it resolves.
 */
import { createHash } from "node:crypto";
import { create, toBinary, type MessageInitShape } from "@bufbuild/protobuf";
import { ChunkSchema, CommandSchema } from "@greco/contracts/greco/conductor/v1/conductor";
import { commandId, frozenOf, outcomeOf, type CommandKind, type Proposal } from "@greco/domain/commit";
import type { ConductorId } from "@greco/domain/model";
import { currentTrace } from "@greco/telemetry";
import { conductorName, modelName } from "../names.ts";
import type { Parts } from "../parts.ts";
import { toDuration } from "../wire/time.ts";
import type { Candidates } from "./candidates.ts";

type Body = NonNullable<MessageInitShape<typeof CommandSchema>["command"]>;

export class Announcer {
  readonly #parts: Pick<Parts, "controlLog" | "ids" | "limits">;
  readonly #candidates: Candidates;

  constructor(parts: Pick<Parts, "controlLog" | "ids" | "limits">, candidates: Candidates) {
    this.#parts = parts;
    this.#candidates = candidates;
  }

  /** The same command id in every repeat. */
  async command(
    state: Proposal,
    kind: CommandKind,
    to: readonly ConductorId[],
    signal: AbortSignal,
  ): Promise<void> {
    const { model, proposal } = state.facts;
    await this.publish(
      model,
      {
        commandId: commandId(proposal, kind),
        model: modelName(model),
        addressees: to.map(conductorName),
        command: await this.#body(state, kind, signal),
      },
      signal,
    );
  }

  /** Every commit, to every conductor: a link of the chain. */
  async commit(state: Proposal, signal: AbortSignal): Promise<void> {
    const { model, proposal } = state.facts;
    const outcome = outcomeOf(state);
    if (outcome?.committed !== true) return;
    const { candidate, changes } = await this.#candidates.get(model, proposal, signal);
    const value = { candidate, changes: [...changes], version: BigInt(outcome.version) };
    await this.publish(
      model,
      {
        commandId: `${proposal}.committed`,
        model: modelName(model),
        command: { case: "committed", value },
      },
      signal,
    );
  }

  async publish(
    model: string,
    command: MessageInitShape<typeof CommandSchema>,
    signal: AbortSignal,
  ): Promise<void> {
    const { controlLog, ids, limits } = this.#parts;
    const traced = { ...command, traceparent: currentTrace() ?? "" };
    const bytes = toBinary(CommandSchema, create(CommandSchema, traced));
    const digest = createHash("sha256").update(bytes).digest("hex");
    const count = Math.max(1, Math.ceil(bytes.length / limits.chunkBytes));
    // A repeat is a message of its own: the log drops what it has seen under the same id.
    const messageId = `${command.commandId ?? ""}.${ids.next()}`;
    for (let index = 0; index < count; index += 1) {
      const payload = bytes.subarray(index * limits.chunkBytes, (index + 1) * limits.chunkBytes);
      const chunk = create(ChunkSchema, { messageId, index, count, digest, payload });
      await controlLog.publish(model, `${messageId}.${index}`, toBinary(ChunkSchema, chunk), signal);
    }
  }

  async #body(state: Proposal, kind: CommandKind, signal: AbortSignal): Promise<Body> {
    const { model, proposal, origin, confirmWithinMs } = state.facts;
    const remaining = toDuration("deadline" in state ? state.deadline.remainingMs : 0);
    switch (kind) {
      case "review": {
        const { candidate, changes } = await this.#candidates.get(model, proposal, signal);
        const join = origin.kind === "join";
        const wayBack = confirmWithinMs !== undefined;
        return { case: "review", value: { candidate, changes: [...changes], wayBack, join, remaining } };
      }
      case "prepare": {
        const { candidate } = await this.#candidates.get(model, proposal, signal);
        return { case: "prepare", value: { candidate, remaining } };
      }
      case "settle":
      case "disarm":
        return { case: "settle", value: settlement(state, kind) };
    }
  }
}

function settlement(
  state: Proposal,
  kind: "settle" | "disarm",
): {
  candidate: string;
  digest: string;
  committed: boolean;
  version: bigint;
  armed: boolean;
  baseVersion: bigint;
} {
  const frozen = frozenOf(state);
  const outcome = outcomeOf(state);
  const committed = outcome?.committed === true;
  return {
    candidate: frozen?.candidate.id ?? "",
    digest: frozen?.candidate.digest ?? "",
    committed,
    version: committed ? BigInt(outcome.version) : 0n,
    armed: committed && outcome.confirmation !== undefined && kind === "settle",
    // A conductor that never heard of the candidate forgets its tombstone once the head is above it.
    baseVersion: BigInt(frozen?.candidate.base ?? 0),
  };
}
