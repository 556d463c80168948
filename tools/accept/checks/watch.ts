import { suiteCheck } from "../suites.ts";

export const check = suiteCheck(
  "B-watch",
  "a watch cut twice in a row right after its creation, etcd compacted meanwhile: no event lost",
  ["libs/adapters/etcd/src/watch.engine.ts"],
);
