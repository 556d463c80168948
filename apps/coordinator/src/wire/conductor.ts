/** A conductor as the contract shows it. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { Conductor_State, type ConductorSchema } from "@greco/contracts/greco/conductor/v1/conductor";
import type { Registrations } from "@greco/control-kit";
import { conductorName, modelName } from "../names.ts";
import type { ConductorRecord } from "../store/conductor-store.ts";
import { toTimestamp } from "./time.ts";

export type ConductorInit = MessageInitShape<typeof ConductorSchema>;

export function toConductor(record: ConductorRecord, registrations: Registrations): ConductorInit {
  const active = registrations.active.find((each) => each.conductor === record.conductor);
  return {
    name: conductorName(record.conductor),
    model: modelName(record.model),
    kinds: [...record.kinds],
    incarnation: BigInt(record.incarnation),
    state: stateOf(record, active !== undefined),
    sinceVersion: BigInt(active?.sinceVersion ?? 0),
    registerTime: toTimestamp(record.registeredAtMs),
    lastHeardTime: toTimestamp(record.lastHeardAtMs),
  };
}

function stateOf({ deregistered }: ConductorRecord, active: boolean): Conductor_State {
  if (deregistered !== undefined) return Conductor_State.DEREGISTERED;
  return active ? Conductor_State.ACTIVE : Conductor_State.JOINING;
}
