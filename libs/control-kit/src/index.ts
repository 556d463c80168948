export { auditOperation } from "./audit.ts";
export type { Audit } from "./audit.ts";
export { keys } from "./keys.ts";
export { admitJoining, decodeRegistrations, encodeRegistrations, noRegistrations } from "./registrations.ts";
export type { Registration, Registrations } from "./registrations.ts";
export { requestFingerprint, requestKey } from "./request.ts";
export type { RequestRecord } from "./request.ts";
export { includes, PERSON_ROLES, roleOf } from "./roles.ts";
export type { PersonRole } from "./roles.ts";
