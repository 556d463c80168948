/** The file that each worker thread starts with. It runs as it is, and is an entry of its own when bundled. */
import { parentPort, workerData } from "node:worker_threads";
import type { WorkerSettings } from "./protocol.ts";

const settings = workerData as WorkerSettings;
const progress = new Int32Array(settings.progress);
if (parentPort === null) throw new Error("worker.ts is started by the host as a worker thread");

// Only what its role needs, so that a worker that was ended is back soon.
if (settings.role === "expressions") {
  const { runExpressions } = await import("./expression-worker.ts");
  runExpressions(parentPort, progress);
} else {
  const { runHandlers } = await import("./handler-worker.ts");
  runHandlers(parentPort, progress, settings);
}
