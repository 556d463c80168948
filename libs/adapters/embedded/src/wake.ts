/**
 * Hints within one process. A listener is called in a turn of its own, after the work that notified, and once
 * for any number of hints that came meanwhile.
 */
import type { Wake } from "@greco/ports";

export function createEmbeddedWake(): Wake {
  const topics = new Map<string, Set<() => void>>();
  const due = new Set<string>();
  let closed = false;

  const deliver = (): void => {
    const hinted = [...due];
    due.clear();
    for (const topic of hinted) {
      const listeners = topics.get(topic) ?? new Set();
      for (const listener of [...listeners]) if (listeners.has(listener)) listener();
    }
  };

  return {
    notify(topic) {
      if (closed || !topics.has(topic)) return;
      if (due.size === 0) setImmediate(deliver);
      due.add(topic);
    },
    listen(topic, listener) {
      // Its own function, so that one listener given twice is two listeners.
      const own = (): void => listener();
      const listeners = topics.get(topic) ?? new Set();
      if (!closed) topics.set(topic, listeners.add(own));
      return () => {
        listeners.delete(own);
        if (listeners.size === 0 && topics.get(topic) === listeners) topics.delete(topic);
      };
    },
    async [Symbol.asyncDispose]() {
      closed = true;
      due.clear();
      topics.clear();
    },
  };
}
