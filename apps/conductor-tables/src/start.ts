import {
  startConductor,
  type ConductorDependencies,
  type ConductorOptions,
  type RunningConductor,
} from "@greco/conductor-kit";
import { createTablesConductor } from "./conductor.ts";

/** Runs until the signal aborts or it is disposed. */
export function startConductorTables(
  dependencies: ConductorDependencies,
  options: ConductorOptions,
  signal: AbortSignal,
): Promise<RunningConductor> {
  return startConductor(createTablesConductor(dependencies), dependencies, options, signal);
}
