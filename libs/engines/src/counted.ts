/** A lane store that counts reads below what is retained: whoever asks for those has lost messages. */
import { BelowRetentionError, type LaneStore, type Metrics } from "@greco/ports";

export function countedLaneStore(store: LaneStore, metrics: Metrics): LaneStore {
  const below = metrics.counter(
    "greco_lane_store_below_retention_total",
    "reads of lanes below their first retained entry",
  );
  const read: LaneStore["read"] = async (...wanted) => {
    try {
      return await store.read(...wanted);
    } catch (error) {
      if (error instanceof BelowRetentionError) below.add(1);
      throw error;
    }
  };
  return new Proxy(store, {
    get(target, name) {
      if (name === "read") return read;
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === "function" ? (value.bind(target) as unknown) : value;
    },
  });
}
