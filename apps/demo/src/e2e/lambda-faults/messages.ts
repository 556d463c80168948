/** The messages of one model, which flow all the time, slowly; who handles them is seen between the runtime and AWS. */
import { systemClock } from "@greco/service-kit";
import type { Call } from "../../../../../tools/lambda-faults/call.ts";
import type { Clients } from "../../story.ts";
import { Handling, type Judged, type VersionAt } from "./handling.ts";

/** Each is a call of a function, on a machine that has other things to do. */
const PAUSE_MS = 1_500;
const AGAIN_MS = 100;

type Handed = { readonly messages?: readonly { readonly lane: string; readonly seq: number }[] };

export class Messages {
  readonly #ingress: Clients["ingress"];
  readonly #parent: string;
  readonly #handling = new Handling();
  #trouble = "";

  /** `parent`: `models/m3` */
  constructor(ingress: Clients["ingress"], parent: string) {
    this.#ingress = ingress;
    this.#parent = parent;
  }

  /** Until the signal aborts; resolves then. What fails is done again: whoever waits for it tells why. */
  async start(signal: AbortSignal): Promise<void> {
    const forever = async (work: () => Promise<void>): Promise<void> => {
      while (!signal.aborted)
        try {
          await work();
          await systemClock.sleep(AGAIN_MS, signal);
        } catch (error) {
          if (signal.aborted) return;
          this.#trouble = String(error);
          await systemClock.sleep(AGAIN_MS, signal).catch(() => undefined);
        }
    };
    await Promise.all([forever(() => this.#publish(signal)), forever(() => this.#read(signal))]);
  }

  get count(): number {
    return this.#handling.count;
  }

  /** Of this epoch or a later one. */
  since(epoch: number): number {
    return this.#handling.since(epoch);
  }

  /** An Invoke that AWS has answered. */
  note({ functionName, forwarded, request }: Call): void {
    if (forwarded?.executedVersion === undefined) return;
    for (const { lane, seq } of (request.body as Handed | undefined)?.messages ?? [])
      this.#handling.handled(`${lane}:${seq}`, `${functionName}:${forwarded.executedVersion}`);
  }

  /** Messages that this version has to handle, and has not yet. */
  waitingFor(version: string, versionAt: VersionAt): readonly string[] {
    return this.#handling.waitingFor(version, versionAt);
  }

  judge(versionAt: VersionAt): Judged {
    const { waiting, wrong } = this.#handling.judge(versionAt);
    const why = waiting.length > 0 && this.#trouble !== "" ? [`the last trouble was ${this.#trouble}`] : [];
    return { waiting: [...waiting, ...why], wrong };
  }

  /** What is refused has no effect; what is stored although nobody said so, nobody waits for. */
  async #publish(signal: AbortSignal): Promise<void> {
    for (let n = 1; ; n += 1) {
      const payload = new TextEncoder().encode(JSON.stringify({ n }));
      const asked = { stream: `${this.#parent}/streams/in`, message: { payload } };
      const { position, epoch } = await this.#ingress.publish(asked, { signal });
      this.#handling.stored(`${position?.lane}:${position?.seq}`, Number(epoch));
      await systemClock.sleep(PAUSE_MS, signal);
    }
  }

  async #read(signal: AbortSignal): Promise<void> {
    this.#handling.forgetResults();
    const start = { case: "beginning", value: true } as const;
    const everything = { stream: `${this.#parent}/streams/out`, start };
    for await (const { entries } of this.#ingress.subscribe(everything, { signal }))
      for (const { source } of entries) {
        const { position } = source ?? {};
        if (position !== undefined) this.#handling.result(`${position.lane}:${position.seq}`);
      }
  }
}
