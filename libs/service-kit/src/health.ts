/**
 * gRPC's health protocol: the status of the whole server (service "") and of each service, to ask and to watch.
 *
 * H1. A watcher sees the status at once, then each change; of changes faster than it reads, the last.
 */
import { Health, HealthCheckResponse_ServingStatus as Status } from "@greco/contracts/grpc/health/v1/health";
import { fault } from "./fault.ts";
import { implement, type CallContext, type ServiceImplementation } from "./handlers.ts";

export type HealthState = {
  readonly implementation: ServiceImplementation;
  /** `service` is its full name; absent: all of them and the server. */
  set(serving: boolean, service?: string): void;
};

export function createHealth(services: readonly string[]): HealthState {
  const statuses = new Map<string, Status>(["", ...services].map((name) => [name, Status.SERVING]));
  const listeners = new Set<() => void>();
  const statusOf = (service: string): Status => statuses.get(service) ?? Status.SERVICE_UNKNOWN;

  async function* watch({ service }: { readonly service: string }, { signal }: CallContext) {
    let changed = Promise.withResolvers<void>();
    const onChange = (): void => changed.resolve();
    listeners.add(onChange);
    signal.addEventListener("abort", onChange);
    try {
      let sent: Status | undefined;
      for (;;) {
        signal.throwIfAborted();
        const status = statusOf(service);
        if (status !== sent) yield { status };
        sent = status;
        await changed.promise;
        changed = Promise.withResolvers();
      }
    } finally {
      listeners.delete(onChange);
      signal.removeEventListener("abort", onChange);
    }
  }

  const implementation = implement(Health, {
    check: async ({ service }) => {
      const status = statuses.get(service);
      if (status === undefined)
        throw fault.notFound(
          "UNKNOWN_SERVICE",
          service,
          `no service ${service} here: there are ${services.join(", ")}`,
        );
      return { status };
    },
    watch,
    list: async () => ({
      statuses: Object.fromEntries([...statuses].map(([name, status]) => [name, { status }])),
    }),
  });

  return {
    implementation,
    set(serving, service) {
      const status = serving ? Status.SERVING : Status.NOT_SERVING;
      for (const name of service === undefined ? [...statuses.keys()] : [service]) statuses.set(name, status);
      for (const listener of listeners) listener();
    },
  };
}
