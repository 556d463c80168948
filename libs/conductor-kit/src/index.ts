export { PrepareError } from "./conductor.ts";
export type {
  Accept,
  Affected,
  Attendance,
  Conductor,
  Drift,
  Finding,
  Flow,
  InForce,
  ModelView,
  NewBinding,
  Outcome,
  Plan,
  PlanStep,
  Preparation,
  Retirement,
  ReviewRequest,
  StandingBinding,
  Veto,
  ViewEntity,
} from "./conductor.ts";
export type { ConductorDependencies, CoordinatorDoor, RegistryDoor } from "./context.ts";
export { MODELS_TOPIC, startConductor } from "./host.ts";
export type { ConductorOptions, RunningConductor } from "./host.ts";
export { CONDUCTOR_LIMITS } from "./limits.ts";
export type { ConductorLimits } from "./limits.ts";
export type { MemberStatus } from "./member.ts";
export { conductorSettings, runConductor } from "./process.ts";
export type { ConductorProcess, ConductorStores } from "./process.ts";
