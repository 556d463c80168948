/**
 * Would stored messages break a new schema? Those within retention can be read again, and a query that reads
 * them must not meet what the model says cannot be. They are read in pages; what was validated against the
 * same schema before needs no look.
 */
import type { Entry, LaneId, Seq } from "@greco/domain/lane";
import { seq } from "@greco/domain/lane";
import type { EntityIdentity, ModelId } from "@greco/domain/model";
import { compileSchema, JsonError, parseJson, type CompiledSchema } from "@greco/expression";
import { BelowRetentionError, type Clock, type LaneRecord, type LaneStore } from "@greco/ports";
import { STREAM_LIMITS } from "./limits.ts";

export type Broken = {
  readonly lane: LaneId;
  readonly seq: Seq;
  /** In the message; empty: the message itself. */
  readonly path: string;
  readonly message: string;
};

export type Stored = {
  readonly broken: readonly Broken[];
  readonly checked: number;
  readonly complete: boolean;
};

type Sources = { readonly laneStore: LaneStore; readonly clock: Clock; readonly model: ModelId };

/** The schema is one that `checkSchema` accepts. */
export async function checkStored(
  sources: Sources,
  stream: EntityIdentity,
  schema: unknown,
  signal: AbortSignal,
): Promise<Stored> {
  const compiled = compileSchema(schema);
  const lanes = await sources.laneStore.listLanes(sources.model, { stream, includeFinished: true }, signal);
  const broken: Broken[] = [];
  let checked = 0;
  for (const lane of lanes)
    for await (const rows of pages(sources, lane, signal)) {
      for (const row of rows) {
        if (row.kind === "marker") continue;
        checked += 1;
        const wrong = firstWrong(compiled, row.payload);
        if (wrong !== undefined) broken.push({ lane: lane.info.id, seq: row.seq, ...wrong });
        if (broken.length === STREAM_LIMITS.brokenMax) return { broken, checked, complete: true };
        if (checked === STREAM_LIMITS.storedRowsMax) return { broken, checked, complete: broken.length > 0 };
      }
      // Others of this process have work to do, too.
      await sources.clock.sleep(0, signal);
    }
  return { broken, checked, complete: true };
}

function firstWrong(
  compiled: CompiledSchema,
  payload: Uint8Array,
): Pick<Broken, "path" | "message"> | undefined {
  try {
    return compiled.validate(parseJson(payload))[0];
  } catch (error) {
    if (error instanceof JsonError) return { path: "", message: error.message };
    throw error;
  }
}

async function* pages(
  { laneStore, model }: Sources,
  { info, state }: LaneRecord,
  signal: AbortSignal,
): AsyncGenerator<readonly Entry[]> {
  let next: number = state.firstRetained;
  for (;;) {
    const rows = await read(next).catch((error: unknown) => {
      // Trimmed meanwhile: what is gone breaks nothing.
      if (!(error instanceof BelowRetentionError)) throw error;
      next = error.firstRetained;
      return read(next);
    });
    const last = rows.at(-1);
    if (last === undefined) return;
    yield rows;
    next = last.seq + 1;
  }

  async function read(from: number): Promise<readonly Entry[]> {
    const { entries } = await laneStore.read(model, info.id, seq(from), STREAM_LIMITS.pageRows, signal);
    return state.end === undefined ? entries : entries.filter((entry) => entry.seq <= (state.end ?? 0));
  }
}
