/** What a session does with what it hears. A command that is not for it, or not whole, changes nothing. */
import { candidateId } from "@greco/domain/model";
import { underTrace } from "@greco/telemetry";
import type { Command } from "@greco/contracts/greco/conductor/v1/conductor";
import type { Told } from "./machine.ts";
import type { Session } from "./session.ts";
import { toMs, toViewChanges } from "./wire.ts";

export function obey(session: Session, command: Command, position: number): void {
  const { id, log, model, seen } = session.context;
  session.heardUpTo(position);
  if (command.model !== `models/${model}`) return;
  if (command.command.case === "committed") {
    const { version, changes } = command.command.value;
    const mine = toViewChanges(model, changes, seen);
    return session.chain.announce({ version: Number(version), changes: mine });
  }
  // Of a repair nobody knows beforehand whose it is.
  if (command.command.case !== "repair" && !command.addressees.includes(`conductors/${id}`)) return;
  try {
    underTrace(command.traceparent, () => told(session, command, position));
  } catch (error) {
    log.warn("conductor.command-refused", { commandId: command.commandId, error });
  }
}

function told(session: Session, { commandId, command }: Command, position: number): void {
  switch (command.case) {
    case "review": {
      const request = command.value;
      if (request.planOnly) return session.plan(commandId, request);
      const of = toldOf(commandId, request.candidate);
      const base = Number(request.candidate?.baseVersion ?? 0n);
      return session.heard({ ...of, type: "review", base, request }, position);
    }
    case "prepare": {
      const of = toldOf(commandId, command.value.candidate);
      return session.heard({ ...of, type: "prepare", remainingMs: toMs(command.value.remaining) }, position);
    }
    case "settle": {
      const { candidate: id, digest, committed, armed } = command.value;
      const [version, base] = [Number(command.value.version), Number(command.value.baseVersion)];
      const head = session.chain.version;
      const of = toldOf(commandId, { id, digest });
      return session.heard({ ...of, type: "settle", committed, version, armed, base, head }, position);
    }
    case "repair":
      return session.repairs.want(command.value.bindings, session.context.limits.repairsMax);
    case "inspect":
      return session.inspections.ask(session, commandId, command.value);
    case "committed":
    case undefined:
      return;
  }
}

function toldOf(
  commandId: string,
  candidate: { readonly id: string; readonly digest: string } | undefined,
): Told {
  return { commandId, candidate: candidateId(candidate?.id ?? ""), digest: candidate?.digest ?? "" };
}
