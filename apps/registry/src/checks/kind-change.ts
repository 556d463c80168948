/**
 * Which entities would not pass a changed kind: those of the head, those of candidates that are still open, and those
 * of the version that a commit which is not confirmed must be able to go back to: its revert is frozen by the kinds
 * as they are then, and a revert that no kind lets through would leave the model locked.
 */
import { keys } from "@greco/control-kit";
import {
  checkChanges,
  finding,
  OrderedMap,
  withKinds,
  type Change,
  type Finding,
  type Kind,
  type Kinds,
  type ModelState,
} from "@greco/domain/model";
import type { Compare } from "@greco/ports";
import type { Registry } from "../registry.ts";
import { readRecord } from "../store/json.ts";
import type { SealedRecord } from "../candidates/candidate-store.ts";
import { wayBackOf } from "../candidates/way-back.ts";

const TOLD_MAX = 20;

/** `compare`: what it was found on; a change that is written must compare it. */
export async function breaksOf(
  registry: Registry,
  model: string,
  before: Kind,
  after: Kind,
  signal: AbortSignal,
): Promise<{ readonly findings: readonly Finding[]; readonly compare: readonly Compare[] }> {
  const { directory, states, store, candidates } = registry;
  const head = await directory.freshHead(model, signal);
  const frozenKey = keys.frozen(model);
  const frozen = await readRecord(store, frozenKey, signal);
  const back = await wayBackOf(registry, model, signal);
  const compare: Compare[] = [
    { key: keys.head(model), target: "modRevision", is: "=", value: head.revision },
    { key: frozenKey, target: "modRevision", is: "=", value: frozen?.revision ?? 0 },
    back.compare,
  ];
  const kindsBefore = directory.kinds(model);
  const kinds: Kinds = new Map([...kindsBefore, [after.id, after]]);
  const found: Finding[] = [];
  const check = (state: ModelState, where = ""): void => {
    if (found.length >= TOLD_MAX) return;
    for (const each of findingsOf(registry, state, kindsBefore, kinds, after))
      found.push({ ...each, message: `${each.message}${where}` });
  };
  const state = await states.at(model, head.value.version, signal);
  if (before.stream !== after.stream && !state.entities.withPrefix(`${after.id}/`).next().done)
    found.push(
      finding(
        undefined,
        "STREAM_FIXED",
        "whether it is a stream cannot change while it has entities",
        "delete them first",
      ),
    );
  check(state);
  if (back.to !== undefined && back.to.version !== head.value.version) {
    const where = ` (in version ${back.to.version}, to which the model may go back until proposal ${back.to.proposal} is confirmed)`;
    check(await states.at(model, back.to.version, signal), where);
  }
  for await (const record of openCandidates(registry, model, signal))
    if (record.baseVersion === head.value.version) check(await candidates.state(model, record, signal));
  return { findings: found.slice(0, TOLD_MAX), compare };
}

function findingsOf(
  { checkSpec }: Registry,
  state: ModelState,
  before: Kinds,
  kinds: Kinds,
  kind: Kind,
): readonly Finding[] {
  const after = withKinds(state, before, kinds);
  const all = OrderedMap.of(putsOf(state, kind.id));
  return checkChanges({ before: after, after }, all, kinds, checkSpec);
}

function* putsOf(state: ModelState, kind: string): Generator<readonly [string, Change], undefined> {
  for (const [key, { specJson }] of state.entities.withPrefix(`${kind}/`))
    yield [key, { action: "put", specJson }];
}

async function* openCandidates(
  { store, candidates }: Registry,
  model: string,
  signal: AbortSignal,
): AsyncGenerator<SealedRecord, void, undefined> {
  const prefix = keys.pendingCandidates(model);
  const { entries } = await store.range({ prefix }, { keysOnly: true }, signal);
  for (const { key } of entries) {
    const record = await candidates.record(model, key.slice(prefix.length), signal);
    if (record?.value.state === "open") yield record.value;
  }
}
