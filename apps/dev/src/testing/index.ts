export { openDoor } from "./recording-door.ts";
export type { Call, Door } from "./recording-door.ts";
