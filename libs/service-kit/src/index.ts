export { createAuthority } from "./authority/authority.ts";
export type { AuthorityOptions, RoleLookup } from "./authority/authority.ts";
export type { Authority, Caller, ServiceKind } from "./authority/caller.ts";
export { createDevKeys, keysFromFile } from "./authority/key-files.ts";
export type { DevKeys } from "./authority/key-files.ts";
export { PERSON_ROLES, roleTable } from "./authority/rules.ts";
export type { MethodRule, PersonRole } from "./authority/rules.ts";
export { fixedKeys, issueToken, tokenVerifier } from "./authority/tokens.ts";
export type { KeySource, TokenClaims, TokenVerifier } from "./authority/tokens.ts";
export { systemClock } from "./clock.ts";
export { configHelp } from "./config-help.ts";
export type { HelpOptions } from "./config-help.ts";
export { ConfigError, loadConfig, parseConfig } from "./config.ts";
export type { Config, ConfigKey, ConfigSchema, ConfigSources } from "./config.ts";
export { config } from "./config-kinds.ts";
export { waitFor, watchDependency } from "./dependency.ts";
export type { DependencyParts, WatchOptions } from "./dependency.ts";
export { toldToMany } from "./encode.ts";
export { createFailpoints, failpoint, FailpointError } from "./failpoint.ts";
export type { Failpoint, FailpointAction } from "./failpoint.ts";
export { Fault, fault } from "./fault.ts";
export type { FaultDetails, FaultKind, FieldViolation, PreconditionViolation } from "./fault.ts";
export { codeOf, passOn, toFault } from "./fault-status.ts";
export type { WireError } from "./fault-status.ts";
export { implement, methodName } from "./handlers.ts";
export type {
  BidiHandler,
  CallContext,
  Handler,
  Handlers,
  ServerStreamHandler,
  ServiceImplementation,
  UnaryHandler,
} from "./handlers.ts";
export { createIds, systemIds } from "./ids.ts";
export { SERVER_LIMITS } from "./limits.ts";
export type { ServerLimits } from "./limits.ts";
export { createLog, errorChain } from "./log.ts";
export type { ErrorLink, LogLevel, LogOptions } from "./log.ts";
export { createMetrics } from "./metrics.ts";
export type { MetricsRegistry } from "./metrics.ts";
export { nearest } from "./nearest.ts";
export { Readiness } from "./readiness.ts";
export { runProcess } from "./run-process.ts";
export type { ProcessHost, RunOptions, Running } from "./run-process.ts";
export { runService } from "./run-service.ts";
export type { Service, ServiceParts, ServiceProcess } from "./run-service.ts";
export { serve } from "./serve.ts";
export type { ServeOptions, Server } from "./serve.ts";
export type { Listen } from "./listen.ts";
export type { ConnectListen } from "./connect-server.ts";
export { VERSION } from "./version.ts";
