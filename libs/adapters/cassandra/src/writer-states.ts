/**
 * What readers ask of a writer's partition behind their rows (R2): its lease, and the states of its lanes. Readers of
 * many lanes of one writer ask at about the same time, and a serial read costs more than the rows: one is under way a
 * writer, and all who ask meanwhile share the next, which begins after they have asked.
 */
import type { LaneInfo, LaneState, WriterLease } from "@greco/domain/lane";
import type { LaneCore } from "./core.ts";
import { toState } from "./lanes.ts";
import { LANES_A_READ } from "./limits.ts";
import { type Row, statement, type Strength, textOf } from "./session.ts";
import { toLease } from "./writer-leases.ts";

export type StateAndLease = { readonly state: LaneState; readonly lease: WriterLease | undefined };

type Asking = PromiseWithResolvers<Row | undefined>;
/** Who has to wait for the next read, by lane. */
type Line = Map<string, Asking>;

export class WriterStates {
  readonly #core: LaneCore;
  /** Of the writers of which a read is under way. */
  readonly #lines = new Map<string, Line>();

  constructor(core: LaneCore) {
    this.#core = core;
  }

  async read(info: LaneInfo, strength: Strength): Promise<StateAndLease> {
    const writer = `${this.#core.key(info.model)} ${info.writer} ${strength}`;
    const waiting = this.#lines.get(writer);
    const line: Line = waiting ?? new Map();
    const row = joined(line, info.id);
    if (waiting === undefined) {
      this.#lines.set(writer, line);
      void this.#serve(writer, line, info, strength);
    }
    const found = await row;
    return { state: toState(found), lease: toLease(info.writer, found) };
  }

  /** Never rejects: a read that fails is told to who shares it. */
  async #serve(writer: string, line: Line, info: LaneInfo, strength: Strength): Promise<void> {
    while (line.size > 0) {
      // Rows of several lanes come by one turn of the event loop.
      await turn();
      const shared = [...line].slice(0, LANES_A_READ);
      for (const [lane] of shared) line.delete(lane);
      try {
        const rows = await this.#rows(
          info,
          shared.map(([lane]) => lane),
          strength,
        );
        for (const [lane, { resolve }] of shared) resolve(rows.get(lane));
      } catch (error) {
        for (const [, { reject }] of shared) reject(error);
      }
    }
    this.#lines.delete(writer);
  }

  async #rows(
    { model, writer }: LaneInfo,
    lanes: readonly string[],
    strength: Strength,
  ): Promise<ReadonlyMap<string, Row>> {
    const rows = await this.#core.sites.own.rows(
      statement(
        `SELECT lane, count, lease_state, end_seq, close_requested, first_retained FROM writer
          WHERE model = ? AND writer = ? AND lane IN ?`,
        this.#core.key(model),
        writer,
        lanes,
      ),
      // One more than there can be: a page that is full is followed by another one, and each is a serial read.
      LANES_A_READ + 1,
      strength,
    );
    return new Map(rows.map((row) => [textOf(row, "lane") ?? "", row]));
  }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function joined(line: Line, lane: string): Promise<Row | undefined> {
  let asking = line.get(lane);
  if (asking === undefined) line.set(lane, (asking = Promise.withResolvers()));
  return asking.promise;
}
