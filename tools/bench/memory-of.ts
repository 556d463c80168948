// A process that runs a registry and says how far its resident memory goes: `baseline` collects and remembers,
// `peak` gives the growth since then, in MiB, at its highest.
import { openBenchRegistry } from "./registry.ts";

const SAMPLE_MS = 5;
const MIB = 1024 * 1024;

const collect = (globalThis as { gc?: () => void }).gc;
const [folder] = process.argv.slice(2);
if (collect === undefined || folder === undefined || process.send === undefined)
  throw new Error("run by a benchmark, with --expose-gc, a folder and a channel");

const stopping = new AbortController();
const registry = await openBenchRegistry(stopping.signal, folder);
let baseline = 0;
let highest = 0;
const rss = (): number => process.memoryUsage.rss();
const sample = (): void => void (highest = Math.max(highest, rss()));
const timer = setInterval(sample, SAMPLE_MS);

process.on("message", (message) => {
  if (message === "baseline") {
    for (let round = 0; round < 4; round++) collect();
    baseline = highest = rss();
    process.send?.({ baselineMiB: baseline / MIB });
  } else if (message === "peak") {
    sample();
    process.send?.({ growthMiB: (highest - baseline) / MIB });
  } else {
    clearInterval(timer);
    void registry[Symbol.asyncDispose]().then(() => process.disconnect());
  }
});
process.send({ address: registry.running.address });
