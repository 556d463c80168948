/**
 * A store behind a bad network, by the seed: calls are slow, refused, or done without an answer; requests that
 * nobody waits for any more still arrive; what may be repeated is. The store itself stays what it is, so whatever
 * holds through this holds by the caller's doing.
 */
import { type Clock, StoreUnavailableError, StoreUnknownError } from "@greco/ports";
import type { Random } from "./random.ts";

/** Shares are of calls, 0 … 1; what is left out does not happen. */
export type StoreFaults = {
  /** Refused, with nothing done: `StoreUnavailableError`. */
  readonly unavailable?: number;
  /** A write that is done, and its answer lost: `StoreUnknownError`. */
  readonly lostAnswer?: number;
  /** A write that is lost itself: `StoreUnknownError` too, and nothing is ever done. */
  readonly lostRequest?: number;
  /** A write that is still under way when its caller is told `StoreUnknownError`; it is done later. */
  readonly lateEffect?: number;
  /** A write that may be repeated arrives a second time, later. */
  readonly repeat?: number;
  /** The longest that a request and an answer are under way, each; calls made at once overtake each other. */
  readonly delayMs?: number;
};

export type FaultControl = {
  /** Whether anything goes wrong at all; calls that are under way keep what they drew. */
  setFaults(faults: StoreFaults): void;
  /** True: every call is refused until it is false again. */
  setCut(cut: boolean): void;
  /** Resolves when no request is under way, late and repeated ones included. */
  settled(): Promise<void>;
};

/** `read`: no effect. `write`: done once. `repeatable`: a write whose repeat, however late, changes nothing. */
export type CallKind = "read" | "write" | "repeatable";

type Call = (...parameters: unknown[]) => Promise<unknown>;

export type Network = FaultControl & {
  /** One call through the network. */
  carry<T>(kind: CallKind, call: () => Promise<T>, signal: AbortSignal): Promise<T>;
  /** Throws where the line is cut or this call is refused. */
  refuse(): void;
  delay(signal: AbortSignal): Promise<void>;
};

export function createNetwork(random: Random, clock: Clock, initial: StoreFaults): Network {
  let faults = initial;
  let cut = false;
  const underWay = new Set<Promise<unknown>>();
  const chance = (share: number | undefined): boolean => random.chance(share ?? 0);
  const never = new AbortController().signal;

  /** Carried out whether or not anybody waits; its failure is what became of a lost request. */
  const release = (call: () => Promise<unknown>): void => {
    const outcome = delay(never)
      .then(call)
      .catch(() => undefined);
    underWay.add(outcome);
    void outcome.then(() => underWay.delete(outcome));
  };
  const delay = async (signal: AbortSignal): Promise<void> => {
    const ms = Math.floor(random.next() * (faults.delayMs ?? 0));
    if (ms > 0) await clock.sleep(ms, signal);
  };
  const refuse = (): void => {
    if (cut || chance(faults.unavailable))
      throw new StoreUnavailableError("simulated: the store cannot be reached; nothing was done");
  };
  const lost = (): StoreUnknownError =>
    new StoreUnknownError("simulated: no answer; it may have taken effect");

  return {
    refuse,
    delay,
    async carry<T>(kind: CallKind, call: () => Promise<T>, signal: AbortSignal): Promise<T> {
      signal.throwIfAborted();
      // Drawn at once, so that the same calls in the same order have the same fate.
      const writes = kind !== "read";
      const [lostRequest, lateEffect, lostAnswer, repeat] = [
        writes && chance(faults.lostRequest),
        writes && chance(faults.lateEffect),
        writes && chance(faults.lostAnswer),
        kind === "repeatable" && chance(faults.repeat),
      ];
      refuse();
      await delay(signal);
      if (lostRequest) throw lost();
      if (lateEffect) {
        release(call);
        throw lost();
      }
      const outcome = await call();
      if (repeat) release(call);
      await delay(signal);
      if (lostAnswer) throw lost();
      return outcome;
    },
    setFaults(next) {
      faults = next;
    },
    setCut(next) {
      cut = next;
    },
    async settled() {
      while (underWay.size > 0) await Promise.all(underWay);
    },
  };
}

/** Puts the network before each call that `kinds` names; everything else goes straight through. */
export function throughNetwork<Store extends AsyncDisposable>(
  store: Store,
  kinds: Readonly<Partial<Record<keyof Store, CallKind>>>,
  network: Network,
): Store & FaultControl {
  const control: FaultControl = {
    setFaults: network.setFaults,
    setCut: network.setCut,
    settled: network.settled,
  };
  return new Proxy(store, {
    get(target, name) {
      if (Object.hasOwn(control, name)) return control[name as keyof FaultControl];
      const own = target[name as keyof Store];
      const kind = kinds[name as keyof Store];
      if (kind === undefined) return own;
      const call = own as Call;
      return (...parameters: unknown[]): Promise<unknown> => {
        const signal = parameters.at(-1) as AbortSignal;
        // A request that nobody waits for any more is not given up by its caller's signal.
        const sent =
          kind === "read" ? parameters : [...parameters.slice(0, -1), new AbortController().signal];
        return network.carry(kind, () => call.apply(target, sent), signal);
      };
    },
  }) as Store & FaultControl;
}
