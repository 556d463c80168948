/** The ports that an engine stands behind, and which engine that is where the embedded one is not chosen. */
import type { BindingStore, ControlLog, CpStore, LaneStore, Wake } from "@greco/ports";

export type Ports = {
  readonly cpStore: CpStore;
  readonly controlLog: ControlLog;
  readonly laneStore: LaneStore;
  readonly bindingStore: BindingStore;
  readonly wake: Wake;
};
export type PortName = keyof Ports;

export type EngineName = "etcd" | "nats" | "cassandra";

export const engineOf = {
  cpStore: "etcd",
  controlLog: "nats",
  wake: "nats",
  laneStore: "cassandra",
  bindingStore: "cassandra",
} as const satisfies Record<PortName, EngineName>;
