/** One worker thread, from its start to its end. */
import { Worker } from "node:worker_threads";
import type { Log } from "@greco/ports";
import type { WorkerHostLimits } from "./limits.ts";
import {
  type FromWorker,
  NOTHING,
  Progress,
  type Role,
  type ToWorker,
  type WorkerSettings,
} from "./protocol.ts";

/** Why a thread is gone. */
export type Death = { readonly reason: string; readonly message: string };

export type ThreadEvents = {
  message(message: FromWorker): void;
  /** Once, and last. */
  death(death: Death): void;
};

export class Thread {
  readonly progress: Int32Array;
  readonly #worker: Worker;
  #cause: Death | undefined;

  constructor(role: Role, entry: URL, limits: WorkerHostLimits, log: Log, events: ThreadEvents) {
    const shared = new SharedArrayBuffer(Progress.words * Int32Array.BYTES_PER_ELEMENT);
    this.progress = new Int32Array(shared);
    this.progress[Progress.current] = NOTHING;
    const settings: WorkerSettings = {
      role,
      progress: shared,
      outputsMax: limits.outputsMax,
      outputBytesMax: limits.outputBytesMax,
    };
    this.#worker = new Worker(entry, {
      workerData: settings,
      name: `greco-${role}`,
      // Neither the process's flags nor its environment, where its secrets may be.
      execArgv: [],
      env: {},
      stdout: true,
      stderr: true,
      resourceLimits: { maxOldGenerationSizeMb: limits.heapMb },
    });
    for (const stream of [this.#worker.stdout, this.#worker.stderr]) {
      stream.setEncoding("utf8");
      stream.on("data", (text: string) => log.info("worker.output", { role, text: text.slice(0, 2_000) }));
    }
    this.#worker.on("message", (message: FromWorker) => events.message(message));
    this.#worker.on("error", (error: Error & { code?: string }) => (this.#cause ??= deathBy(error, limits)));
    this.#worker.on("messageerror", (error) => (this.#cause ??= deathBy(error, limits)));
    this.#worker.on("exit", (code) => {
      events.death(this.#cause ?? { reason: "WORKER_ENDED", message: `its worker ended with code ${code}` });
    });
  }

  post(message: ToWorker, transfer: readonly ArrayBuffer[] = []): void {
    this.#worker.postMessage(message, transfer);
  }

  /** Ends it at once, whatever it does. `death` follows, with this cause. */
  async kill(cause: Death): Promise<void> {
    this.#cause ??= cause;
    await this.#worker.terminate();
  }
}

function deathBy(error: Error & { code?: string }, limits: WorkerHostLimits): Death {
  if (error.code === "ERR_WORKER_OUT_OF_MEMORY") {
    return { reason: "OUT_OF_MEMORY", message: `needs more than the ${limits.heapMb} MB of its worker` };
  }
  return { reason: "WORKER_CRASHED", message: `its worker crashed: ${error.message}` };
}
