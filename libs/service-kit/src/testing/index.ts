export { implementPartly } from "./partial.ts";
export { trustingAuthority } from "./trusting-authority.ts";
