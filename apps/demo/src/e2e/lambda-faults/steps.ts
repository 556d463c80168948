/**
 * What each call of an operation is called, so that the same call is met in every run of it: by AWS's name, which of its
 * kind it is, and behind which write it comes.
 */
import type { Call } from "../../../../../tools/lambda-faults/call.ts";
import type { LambdaOperation } from "../../../../../tools/lambda-faults/operation.ts";

export type Step = {
  /** `GetFunction of a version, after PublishVersion` */
  readonly name: string;
  readonly operation: LambdaOperation;
  readonly writes: boolean;
  /** A look for the second time or more, behind a write: how often it comes, only the clock knows. */
  readonly polls: boolean;
};

export const isWrite = (operation: LambdaOperation): boolean => !/^(?:Get|List)/.test(operation);

type Named = Pick<Call, "operation" | "qualifier">;

export class Steps {
  /** The last write. */
  #lead: string | undefined;
  readonly #counts = new Map<string, number>();

  /** Of the call that comes next, which is not counted yet. */
  of(call: Named): Step {
    const { operation } = call;
    const writes = isWrite(operation);
    const place = this.#placeOf(call);
    const nth = (this.#counts.get(place) ?? 0) + 1;
    const name = nth === 1 ? place : `${place}, ${nth}`;
    return { name, operation, writes, polls: !writes && this.#lead !== undefined && nth > 1 };
  }

  /** Counts it. */
  take(call: Named): Step {
    const step = this.of(call);
    const place = this.#placeOf(call);
    this.#counts.set(place, (this.#counts.get(place) ?? 0) + 1);
    if (step.writes) this.#lead = step.name;
    return step;
  }

  #placeOf({ operation, qualifier }: Named): string {
    const kind = qualifier !== undefined && /^\d+$/.test(qualifier) ? `${operation} of a version` : operation;
    return isWrite(operation) || this.#lead === undefined ? kind : `${kind}, after ${this.#lead}`;
  }
}
