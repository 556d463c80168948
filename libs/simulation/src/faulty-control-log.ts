/**
 * A control log that does all that one may (control-log.ts): each subscription loses messages, has some twice, and
 * gets some behind later ones. Positions stay what they are.
 */
import type { Clock, ControlLog, LogMessage } from "@greco/ports";
import {
  createNetwork,
  type FaultControl,
  type Network,
  type StoreFaults,
  throughNetwork,
} from "./faulty-store.ts";
import type { Random } from "./random.ts";

export type ControlLogFaults = StoreFaults & {
  /** A message that a subscription never gets. */
  readonly lose?: number;
  /** A message that it gets once more, later. */
  readonly again?: number;
  /** A message that it gets behind later ones. */
  readonly reorder?: number;
  /** How long a message is held back at most, when nothing comes that could overtake it. Default 1,000. */
  readonly holdMs?: number;
};

const HOLD_MS = 1_000;

type Delivery = { faults: ControlLogFaults; readonly random: Random; readonly clock: Clock };

/** The next message of `source`, or "nothing" once `ms` have passed. */
async function nextOrNothing(
  next: Promise<IteratorResult<LogMessage>>,
  clock: Clock,
  ms: number,
  signal: AbortSignal,
): Promise<IteratorResult<LogMessage> | "nothing"> {
  const over = new AbortController();
  const stop = (): void => over.abort();
  signal.addEventListener("abort", stop, { once: true });
  const slept = clock.sleep(ms, over.signal).then(
    () => "nothing" as const,
    () => "nothing" as const,
  );
  const first = await Promise.race([next, slept]);
  signal.removeEventListener("abort", stop);
  stop();
  await slept;
  return first;
}

async function* disturbed(
  subscribe: (signal: AbortSignal) => AsyncIterable<LogMessage>,
  delivery: Delivery,
  network: Network,
  signal: AbortSignal,
): AsyncGenerator<LogMessage, void, undefined> {
  const { random, clock } = delivery;
  // The subscription's own end, so that a consumer who leaves while it waits is not waited for.
  const over = new AbortController();
  const stop = (): void => over.abort(signal.reason);
  if (signal.aborted) stop();
  signal.addEventListener("abort", stop, { once: true });
  const source = subscribe(over.signal)[Symbol.asyncIterator]();
  let held: LogMessage[] = [];
  let next: Promise<IteratorResult<LogMessage>> | undefined;
  try {
    for (;;) {
      const { faults } = delivery;
      next ??= source.next();
      const came =
        held.length === 0
          ? await next
          : await nextOrNothing(next, clock, faults.holdMs ?? HOLD_MS, over.signal);
      if (came !== "nothing") {
        next = undefined;
        if (came.done === true) return;
        if (random.chance(faults.lose ?? 0)) continue;
        if (random.chance(faults.again ?? 0)) held.push(came.value);
        if (random.chance(faults.reorder ?? 0)) {
          held.push(came.value);
          continue;
        }
        await network.delay(signal);
        yield came.value;
        if (random.chance(0.5)) continue;
      }
      const released = random.shuffled(held);
      held = [];
      for (const message of released) yield message;
    }
  } finally {
    signal.removeEventListener("abort", stop);
    over.abort(new Error("the subscription is left"));
    await next?.catch(() => undefined);
    await source.return?.();
  }
}

export function faultyControlLog(
  log: ControlLog,
  random: Random,
  faults: ControlLogFaults & { readonly clock: Clock },
): ControlLog & FaultControl & { setFaults(faults: ControlLogFaults): void } {
  const network = createNetwork(random, faults.clock, faults);
  const delivery: Delivery = { faults, random: random.fork(), clock: faults.clock };
  const disturbing: ControlLog = {
    publish: (model, messageId, payload, signal) => log.publish(model, messageId, payload, signal),
    subscribe: (model, afterPosition, signal) =>
      disturbed((own) => log.subscribe(model, afterPosition, own), delivery, network, signal),
    [Symbol.asyncDispose]: () => log[Symbol.asyncDispose](),
  };
  const setFaults = (next: ControlLogFaults): void => {
    delivery.faults = next;
    network.setFaults(next);
  };
  return throughNetwork(disturbing, { publish: "repeatable" }, { ...network, setFaults });
}
