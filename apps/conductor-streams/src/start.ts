import {
  startConductor,
  type ConductorDependencies,
  type ConductorOptions,
  type RunningConductor,
} from "@greco/conductor-kit";
import { createStreamsConductor } from "./conductor.ts";

/** Runs until the signal aborts or it is disposed. Of all conductors this one folds the bindings for cold boots. */
export function startConductorStreams(
  dependencies: ConductorDependencies,
  options: ConductorOptions,
  signal: AbortSignal,
): Promise<RunningConductor> {
  const all = { writesSnapshots: true, ...options };
  return startConductor(createStreamsConductor(dependencies), dependencies, all, signal);
}
