/**
 * A service's process, from its command line to its exit: `--help`, `--version`, configuration, log, the wait for what
 * it needs, stop. What the service is made of is wired in its `main.ts`.
 *
 * P1. No start order: while something that it needs is down, health at the service's own address says NOT_SERVING.
 */
import type { DescService } from "@bufbuild/protobuf";
import type { Clock, Ids, Log, Metrics } from "@greco/ports";
import { startTracing } from "@greco/telemetry";
import type { Authority } from "./authority/caller.ts";
import { systemClock } from "./clock.ts";
import { config } from "./config-kinds.ts";
import { configHelp } from "./config-help.ts";
import { type Config, type ConfigKey, type ConfigSchema, loadConfig } from "./config.ts";
import { type DependencyParts, waitFor } from "./dependency.ts";
import { type Fault, fault } from "./fault.ts";
import { type Handlers, implement, type ServiceImplementation } from "./handlers.ts";
import { systemIds } from "./ids.ts";
import type { Listen } from "./listen.ts";
import { createLog } from "./log.ts";
import { serveMetrics } from "./metrics-server.ts";
import { createMetrics } from "./metrics.ts";
import { Readiness } from "./readiness.ts";
import { type ProcessHost, runProcess } from "./run-process.ts";
import { serve, type Server } from "./serve.ts";
import { VERSION } from "./version.ts";

const common = {
  logLevel: config.oneOf("what is logged", ["debug", "info", "warn", "error"], { default: "info" }),
  metrics: config.optional(config.listen("where /metrics is served for Prometheus; none: nowhere")),
};

type Common = typeof common;
type Settings = ConfigSchema & { readonly listen: ConfigKey<Listen> };

export type Service<S extends Settings> = {
  /** The app: `registry`. */
  readonly name: string;
  /** One sentence, for `--help`. */
  readonly about: string;
  readonly settings: S;
  /** What it serves beside health and reflection: their health says NOT_SERVING while it waits. */
  readonly services: readonly DescService[];
};

/** What every service is wired with. */
export type ServiceParts<S extends Settings> = DependencyParts & {
  readonly given: Config<S & Common>;
  readonly ids: Ids;
  /** Absent: nobody looks. */
  readonly metrics: Metrics | undefined;
  /** Owns what is opened, and disposes it in reverse order when the process is to stop. */
  readonly stack: AsyncDisposableStack;
  /** Opens what may be down at the moment (W2). */
  waitFor<T>(dependency: string, open: (signal: AbortSignal) => Promise<T>): Promise<T>;
};

export type ServiceProcess = {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly host: ProcessHost;
  readonly print: (text: string) => void;
  readonly log?: Log;
  readonly clock: Clock;
};

const thisProcess = (): ServiceProcess => ({
  argv: process.argv.slice(2),
  env: process.env,
  host: process,
  print: (text) => void process.stdout.write(text),
  clock: systemClock,
});

/** Resolves when the process has been told to exit. */
export async function runService<const S extends Settings>(
  service: Service<S>,
  start: (parts: ServiceParts<S>, signal: AbortSignal) => Promise<void>,
  on: ServiceProcess = thisProcess(),
): Promise<void> {
  const schema: S & Common = { ...service.settings, ...common };
  if (on.argv.some((flag) => flag === "--help" || flag === "-h"))
    return on.print(configHelp({ name: service.name, about: service.about, schema }));
  if (on.argv.includes("--version"))
    return on.print(`greco ${service.name} ${VERSION}, Node ${process.version}\n`);
  // Lines of a process that has no configuration yet; afterwards at the level that was asked for.
  let log = on.log ?? createLog({ service: service.name });
  const late: Log = {
    debug: (event, fields) => log.debug(event, fields),
    info: (event, fields) => log.info(event, fields),
    warn: (event, fields) => log.warn(event, fields),
    error: (event, fields) => log.error(event, fields),
    child: (fields) => log.child(fields),
  };
  await runProcess(
    async (signal) => {
      const given = await loadConfig(schema, on.argv, on.env);
      log = on.log ?? createLog({ service: service.name, level: levelOf(given) });
      await using stack = new AsyncDisposableStack();
      // First, so that it is disposed last: what the stop does is told of, too.
      stack.use(await startTracing({ service: service.name, version: VERSION, env: on.env }));
      const readiness = new Readiness();
      const parts: DependencyParts = { clock: on.clock, log, readiness };
      const metrics = await openMetrics(given, log, stack);
      const door = stack.use(new WaitingDoor(service.services, listenOf(given), parts, signal));
      await start(
        {
          ...{ ...parts, given, ids: systemIds, metrics, stack },
          async waitFor(dependency, open) {
            await using _served = door.whileWaiting();
            return await waitFor(dependency, open, parts, signal);
          },
        },
        signal,
      );
      await door[Symbol.asyncDispose]();
      return stack.move();
    },
    { log: late, clock: on.clock, host: on.host },
  );
}

async function openMetrics(
  given: object,
  log: Log,
  stack: AsyncDisposableStack,
): Promise<Metrics | undefined> {
  const { metrics: listen } = given as Config<Common>;
  if (listen === undefined) return undefined;
  const metrics = createMetrics(log);
  log.info("process.metrics", { address: stack.use(await serveMetrics(metrics, listen)).address });
  return metrics;
}

const levelOf = (given: object): Config<Common>["logLevel"] => (given as Config<Common>).logLevel;
const listenOf = (given: object): Listen => (given as { readonly listen: Listen }).listen;

/**
 * P1: serves health, and nothing else, where the service is going to be: while something is waited for, and only then,
 * for whatever goes down behind that, the service itself may have to listen there at any moment.
 */
class WaitingDoor implements AsyncDisposable {
  readonly #stopListening: () => void;
  readonly #open: () => Promise<void>;
  #turn: Promise<void> = Promise.resolve();
  #server: Server | undefined;
  #waits = 0;

  constructor(
    services: readonly DescService[],
    listen: Listen,
    { log, clock, readiness }: DependencyParts,
    signal: AbortSignal,
  ) {
    this.#open = async () => {
      if (this.#server !== undefined || this.#waits === 0 || readiness.ready) return;
      try {
        const refusing = services.map(refuse);
        const about = { services: refusing, listen, authority: nobodyYet, limits: DOOR_LIMITS };
        this.#server = await serve({ ...about, log, clock, readiness }, signal);
        log.info("process.waiting", { health: this.#server.address, for: readiness.missing });
      } catch (error) {
        // What keeps the door shut will keep the service from starting, and be said then.
        log.warn("process.waiting", { health: "cannot be served", for: readiness.missing, error });
      }
    };
    this.#stopListening = readiness.listen(() => this.#look());
  }

  /** Until it is disposed: then it is shut, unless somebody else waits. */
  whileWaiting(): AsyncDisposable {
    this.#waits += 1;
    this.#look();
    return {
      [Symbol.asyncDispose]: () => {
        this.#waits -= 1;
        return this.#waits === 0 ? this.#close() : Promise.resolve();
      },
    };
  }

  #look(): void {
    this.#turn = this.#turn.then(this.#open);
  }

  async #close(): Promise<void> {
    await this.#turn;
    const server = this.#server;
    this.#server = undefined;
    await server?.[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopListening();
    await this.#close();
  }
}

/** Who watches health here is to look again at once, when the service itself has taken the port. */
const DOOR_LIMITS = { streamDrainMs: 20, drainMs: 200 } as const;

const waiting = (): Fault =>
  fault.unavailable("SERVICE_WAITING", "this service waits for what it needs: call again soon");

const nobodyYet: Authority = {
  authenticate() {
    throw waiting();
  },
  authorize() {
    throw waiting();
  },
};

function refuse(service: DescService): ServiceImplementation {
  const handlers = service.methods.map(({ localName }) => [localName, () => Promise.reject(waiting())]);
  return implement(service, Object.fromEntries(handlers) as Handlers<DescService>);
}
