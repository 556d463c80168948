import {
  startConductor,
  type ConductorDependencies,
  type ConductorOptions,
  type RunningConductor,
} from "@greco/conductor-kit";
import { createWorkerConductor } from "./conductor.ts";

/** Runs until the signal aborts or it is disposed. */
export function startConductorWorker(
  dependencies: ConductorDependencies,
  options: ConductorOptions,
  signal: AbortSignal,
): Promise<RunningConductor> {
  return startConductor(createWorkerConductor(dependencies), dependencies, options, signal);
}
