export { clientOn, createClient } from "./client.ts";
export type { BidiCall, CallOptions, Client, ClientMethod, ServerStreamCall, UnaryCall } from "./client.ts";
export { connect } from "./connection.ts";
export type { Connection, ConnectionOptions, TokenSource } from "./connection.ts";
export { GrecoError } from "./error.ts";
export type { CodeName, GrecoErrorParts } from "./error.ts";
