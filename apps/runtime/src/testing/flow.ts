/**
 * A model of two queries in a row on real stores: `double` (CEL: b = a × factor) from s to t, and `label` (a handler) from
 * t to u. Epochs change the factor, the label, or both; a checker of its own says what should stand in u.
 */
import type { ChangedBinding, LambdaContent, QueryContent } from "@greco/domain/epoch";
import type { Entry, LaneId } from "@greco/domain/lane";
import { seq } from "@greco/domain/lane";
import type { EntityIdentity } from "@greco/domain/model";
import { candidateId, epoch, hashOf, modelId } from "@greco/domain/model";
import type { BindingStore, LaneRecord, LaneStore, Wake } from "@greco/ports";
import { wakeTopics } from "@greco/ports";

export const MODEL = modelId("m");
export const stream = (name: string): EntityIdentity => `stream/${name}@1` as EntityIdentity;
const query = (name: string): EntityIdentity => `query/${name}@1` as EntityIdentity;

/** `lambda`: where `label` runs, if not on worker threads. */
export type Config = { readonly factor: number; readonly label: string; readonly lambda?: LambdaContent };
type Stores = { readonly laneStore: LaneStore; readonly bindingStore: BindingStore; readonly wake: Wake };

const SCHEMAS = { from: {}, tables: {} } as const;
const BASE = { tables: [], timeoutMs: 1_000, schemas: SCHEMAS } as const;

function double({ factor }: Config): QueryContent {
  return {
    ...BASE,
    name: "double",
    from: "s",
    to: "t",
    where: "!has(event.skip)",
    select: { n: "event.n", b: `event.a * ${factor}.0` },
    onError: { retries: 0, then: "dead-letter" },
  };
}

function label(config: Config): QueryContent {
  return {
    ...BASE,
    name: "label",
    from: "t",
    to: "u",
    handler: `export const handle = (event) => ({ n: event.n, text: ${JSON.stringify(config.label)} + event.b });`,
    onError: { retries: 0, then: "dead-letter" },
    ...(config.lambda === undefined ? {} : { lambda: config.lambda }),
  };
}

export class Flow {
  /** The configuration of each epoch. */
  readonly history: Config[] = [{ factor: 0, label: "" }];
  readonly #stores: Stores;

  constructor(stores: Stores) {
    this.#stores = stores;
  }

  /** Makes the next epoch so. */
  async commit(change: Partial<Config>, signal: AbortSignal): Promise<void> {
    const before = this.history.at(-1) as Config;
    const after = { ...before, ...change };
    const at = this.history.length;
    const isFirst = at === 1;
    const contents: [EntityIdentity, object][] = [];
    if (isFirst)
      for (const name of ["s", "t", "u"]) contents.push([stream(name), { name, schema: {}, lanes: 2 }]);
    if (isFirst || change.factor !== undefined) contents.push([query("double"), double(after)]);
    if (isFirst || change.label !== undefined) contents.push([query("label"), label(after)]);
    const candidate = candidateId(`c${at}`);
    const bindings: ChangedBinding[] = [];
    for (const [entity, value] of contents) {
      const content = JSON.stringify(value);
      const hash = hashOf(content);
      await this.#stores.bindingStore.putBindings(
        [{ model: MODEL, entity, candidate, hash, content }],
        signal,
      );
      bindings.push({ entity, candidate, hash, removed: false });
    }
    const scope = ["t", "u", ...(isFirst || change.factor !== undefined ? ["s"] : [])].map(stream);
    const entry = { model: MODEL, epoch: epoch(at), candidate, scope, bindings, committedAtMs: 0 };
    this.history.push(after);
    await this.#stores.laneStore.appendLedger(entry, signal);
    this.#stores.wake.notify(wakeTopics.ledger(MODEL));
  }

  /** What is wrong with what is stored: for each published input, what u holds of it. */
  async problems(published: readonly number[], signal: AbortSignal): Promise<readonly string[]> {
    const lanes = await this.#lanes(signal);
    const rowAt = (lane: LaneId, at: number): Entry | undefined => lanes.get(lane)?.rows[at - 1];
    const found = new Map<number, string[]>();
    const problems: string[] = [];
    for (const { record, rows } of lanes.values()) {
      if (record.info.stream !== stream("u")) continue;
      for (const row of rows) {
        if (row.kind !== "data" || row.source === undefined) continue;
        const { n, text } = JSON.parse(Buffer.from(row.payload).toString()) as { n: number; text: string };
        const middle = rowAt(row.source.lane, row.source.seq);
        const first =
          middle?.kind === "data" && middle.source ? rowAt(middle.source.lane, middle.source.seq) : undefined;
        const config = this.history[first?.epoch ?? 0] as Config;
        const right = `${(this.history[middle?.epoch ?? 0] as Config).label}${n * config.factor}`;
        if (text !== right) problems.push(`I6 ${n}: ${text}, not ${right}`);
        // Along the whole path: the first hop's version is that of the second's epoch too.
        if (this.history[middle?.epoch ?? 0]?.factor !== config.factor) problems.push(`I6 ${n}: mixed`);
        found.set(n, [...(found.get(n) ?? []), text]);
      }
    }
    for (const n of published) {
      const texts = found.get(n) ?? [];
      if (texts.length !== 1) problems.push(`I8 ${n}: [${texts.join(", ")}]`);
    }
    return problems;
  }

  async #lanes(signal: AbortSignal): Promise<Map<LaneId, { record: LaneRecord; rows: readonly Entry[] }>> {
    const { laneStore } = this.#stores;
    const lanes = new Map<LaneId, { record: LaneRecord; rows: readonly Entry[] }>();
    for (const record of await laneStore.listLanes(MODEL, { includeFinished: true }, signal)) {
      const rows: Entry[] = [];
      for (let more = true; more;) {
        const page = await laneStore.read(MODEL, record.info.id, seq(rows.length + 1), 1_000, signal);
        rows.push(...page.entries);
        more = page.entries.length > 0;
      }
      const end = record.state.end ?? Number.POSITIVE_INFINITY;
      lanes.set(record.info.id, { record, rows: rows.filter((row) => row.seq <= end) });
    }
    return lanes;
  }
}
