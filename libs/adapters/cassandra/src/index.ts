export { openCassandraBindingStore } from "./binding-store.ts";
export { openCassandraLaneStore } from "./lane-store.ts";
export type { CassandraLaneStoreOptions } from "./lane-store.ts";
export { SchemaTooNewError } from "./migrate.ts";
export type { CassandraOptions } from "./options.ts";
