/** Wires an ingress: models with their hosts, the service, the two ports. */
import { noMetrics } from "@greco/ports";
import { failpoint as environmentFailpoint, serve } from "@greco/service-kit";
import { INGRESS_LIMITS } from "./limits.ts";
import { observeHosts } from "./metrics.ts";
import { Models } from "./models.ts";
import type { IngressContext, IngressDependencies, IngressOptions } from "./options.ts";
import { ingressService } from "./service.ts";

export interface RunningIngress extends AsyncDisposable {
  /** gRPC: `127.0.0.1:50051` */
  readonly address: string;
  readonly port: number;
  /** Connect and gRPC-Web: `http://127.0.0.1:8080` */
  readonly connectAddress?: string;
}

/** Resolves when it serves. `signal` bounds the start; afterwards it runs until it is disposed, gracefully. */
export async function startIngress(
  dependencies: IngressDependencies,
  options: IngressOptions,
  signal: AbortSignal,
): Promise<RunningIngress> {
  const {
    listen,
    connect,
    name = "ingress",
    operators = [],
    failpoint = environmentFailpoint,
    ...limits
  } = options;
  const context: IngressContext = {
    ...dependencies,
    limits: { ...INGRESS_LIMITS, ...limits },
    name,
    operators: new Set(operators),
    failpoint,
  };
  await using starting = new AsyncDisposableStack();
  const models = starting.use(new Models(context));
  await models.start(signal);
  starting.defer(observeHosts(dependencies.metrics ?? noMetrics, () => models.hosts()));
  const server = starting.use(
    await serve(
      {
        services: [ingressService(context, models)],
        listen,
        ...(connect === undefined ? {} : { connect }),
        authority: dependencies.authority,
        log: dependencies.log,
        ids: dependencies.ids,
        readiness: dependencies.readiness,
        metrics: dependencies.metrics,
      },
      signal,
    ),
  );
  const running = starting.move();
  const { address, port, connectAddress } = server;
  dependencies.log.info("ingress.serving", { address, connectAddress });
  return {
    address,
    port,
    ...(connectAddress === undefined ? {} : { connectAddress }),
    // In the reverse order: no new calls first, then the lanes get their ends.
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}
