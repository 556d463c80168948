/** What is remembered of one producer with an id, in one stream (P2, P4 of producers.ts). */
import type { LaneId, Seq } from "@greco/domain/lane";
import type { Epoch } from "@greco/domain/model";
import type { LaneGroup } from "./lane-groups.ts";

export type Place = { readonly lane: LaneId; readonly seq: Seq; readonly epoch: Epoch };

export type ProducerClaim = { readonly id: string; readonly lastLane: string; readonly lastSeq: number };

/** Groups, and lanes, of its past that are remembered of one producer. */
const PAST_MAX = 64;

/** One producer in one stream. */
export class Producer {
  readonly id: string;
  /** Where a number stands, or will stand. */
  readonly numbers = new Map<number, Place | Promise<Place>>();
  readonly #window: number;
  /** Groups whose rows are all accounted for in `numbers`: ours (with the group), others once closed and read. */
  readonly #accounted = new Map<string, LaneGroup | undefined>();
  /** Lanes named as the last one whose group was accounted for. */
  readonly #lastLanes = new Set<string>();
  /** How far lanes that may still grow were looked through. */
  readonly #looked = new Map<LaneId, number>();
  #highest = 0;
  group: LaneGroup | undefined;
  /** Requests and moves under way for it. */
  uses = 0;
  /** It was told a lane, and may name it. */
  told = false;
  /** Changes of the group one after the other. */
  turn: Promise<unknown> = Promise.resolve();

  constructor(id: string, window: number) {
    this.id = id;
    this.#window = window;
  }

  /** P2: below it nothing is known any more. */
  get floor(): number {
    return this.#highest - this.#window;
  }
  get highest(): number {
    return this.#highest;
  }
  get busy(): boolean {
    for (const place of this.numbers.values()) if (place instanceof Promise) return true;
    return false;
  }

  /** Every group that it has anything to do with. */
  get groups(): ReadonlyMap<string, LaneGroup | undefined> {
    return this.#accounted;
  }
  /** What was under way in a group of ours when its writer was lost is not known. */
  accounted(group: string): boolean {
    return this.#accounted.has(group) && this.#accounted.get(group)?.writer.lost.aborted !== true;
  }
  hasNamed(lane: string): boolean {
    return this.#lastLanes.has(lane);
  }
  named(lane: string): void {
    this.#lastLanes.add(lane);
    for (const oldest of this.#lastLanes) {
      if (this.#lastLanes.size <= PAST_MAX) return;
      this.#lastLanes.delete(oldest);
    }
  }
  lookedUpTo(lane: LaneId): number {
    return this.#looked.get(lane) ?? 0;
  }
  looked(lane: LaneId, upTo: number): void {
    this.#looked.set(lane, upTo);
    trim(this.#looked);
  }

  writesTo(group: LaneGroup): void {
    this.group = group;
    this.account(group.id, group);
  }

  account(id: string, own: LaneGroup | undefined): void {
    this.#accounted.delete(id);
    this.#accounted.set(id, own);
    trim(this.#accounted);
  }

  read(found: ReadonlyMap<number, Place>): void {
    for (const [number, place] of found) this.put(number, place);
  }

  /** Where its highest number stands; one that is under way does so in `group`. */
  last(): { readonly lane: LaneId | undefined } | undefined {
    let highest = 0;
    for (const number of this.numbers.keys()) highest = Math.max(highest, number);
    const place = this.numbers.get(highest);
    if (place === undefined) return undefined;
    return { lane: place instanceof Promise ? this.group?.lanes[0]?.id : place.lane };
  }

  put(number: number, place: Place | Promise<Place>): void {
    this.numbers.set(number, place);
    this.#highest = Math.max(this.#highest, number);
    for (const [oldest, standing] of this.numbers) {
      if (oldest > this.floor || standing instanceof Promise) return;
      this.numbers.delete(oldest);
    }
  }

  /** It was not stored, or nobody knows: the next attempt looks again. */
  forget(number: number): void {
    this.numbers.delete(number);
  }
}

function trim(past: Map<string, unknown>): void {
  for (const oldest of past.keys()) {
    if (past.size <= PAST_MAX) return;
    past.delete(oldest);
  }
}
