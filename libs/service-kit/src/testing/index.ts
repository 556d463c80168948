export { implementPartly } from "./partial.ts";
export { rawCall } from "./raw-call.ts";
export type { RawAnswer, RawCall } from "./raw-call.ts";
export { trustingAuthority } from "./trusting-authority.ts";
