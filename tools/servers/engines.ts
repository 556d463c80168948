// The engines there are. Adding one is a file and a line here.
import { cassandra } from "./cassandra.ts";
import type { Engine } from "./engine.ts";
import { etcd } from "./etcd.ts";
import { ministack } from "./ministack.ts";
import { moto } from "./moto.ts";
import { nats } from "./nats.ts";

export const engines: readonly Engine[] = [etcd, nats, cassandra, ministack, moto];

/** Where a server that runs already is named: host:port, several by commas. */
export const variableOf = (engine: { readonly name: string }): string => `GRECO_${engine.name.toUpperCase()}`;
