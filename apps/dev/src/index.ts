export { PEOPLE } from "./identities.ts";
export type { Person } from "./identities.ts";
export { startDev } from "./start-dev.ts";
export type { Dev, DevClients, DevOptions } from "./start-dev.ts";
