// The engines there are. Adding one is a file and a line here.
import type { Engine } from "./engine.ts";
import { etcd } from "./etcd.ts";

export const engines: readonly Engine[] = [etcd];

/** Where a server that runs already is named: host:port, several by commas. */
export const variableOf = (engine: { readonly name: string }): string => `GRECO_${engine.name.toUpperCase()}`;
