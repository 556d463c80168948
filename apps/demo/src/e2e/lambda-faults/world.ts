/**
 * Greco with Lambda's conductor as a process of its own, on one folder; between it and a local stand-in of AWS the proxy
 * of faults; models side by side; and functions of somebody else's, which nobody may touch.
 */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Dev, startDev } from "@greco/dev";
import { createDevKeys, systemClock, systemIds } from "@greco/service-kit";
import { type LambdaFaults, openLambdaFaults } from "../../../../../tools/lambda-faults/lambda-faults.ts";
import { servers } from "../../../../../tools/servers/for-tests.ts";
import { createReaper } from "../../../../../tools/servers/reaper.ts";
import { committedVersion, Story } from "../../story.ts";
import { type AppProcess, appProcess } from "../app-process.ts";
import { stream } from "../world.ts";
import { Aws, REGION } from "./aws.ts";
import { Kill } from "./kill.ts";
import { History } from "./query.ts";
import { Stage } from "./stage.ts";
import { isWrite } from "./steps.ts";

/** Two of them must outlast a pause of a busy machine. */
const LEASE_MS = 2_000;
/** AWS's 15 a second are of C-rate; here many models would only wait for each other. */
const WRITES_PER_SECOND = 200;
const CONDUCTOR = "conductor-lambda" as const;
/** The three of `greco dev`, and Lambda's. */
const CONDUCTORS = 4;
const LOOK_MS = 100;

const STREAMS = [
  // What is superseded can be retired only behind the retention of what was read by it.
  stream("in", { n: { type: "integer" } }, { retention: "1s" }),
  stream("out", { n: { type: "integer" } }),
];

type Foreign = { readonly name: string; readonly picture: string };

export class FaultsWorld implements AsyncDisposable {
  readonly stages: readonly Stage[];
  readonly #parts: { readonly aws: Aws; readonly proxy: LambdaFaults; readonly conductor: AppProcess };
  readonly #prefix: string;
  readonly #stack: AsyncDisposableStack;
  #foreign: readonly Foreign[] = [];
  readonly #touched: string[] = [];
  /** The last call before the conductor's last start. */
  #startedAt = 0;
  #settled = true;

  private constructor(
    parts: { readonly aws: Aws; readonly proxy: LambdaFaults; readonly conductor: AppProcess },
    prefix: string,
    stages: readonly Stage[],
    stack: AsyncDisposableStack,
  ) {
    this.#parts = parts;
    this.#prefix = prefix;
    this.stages = stages;
    this.#stack = stack;
  }

  /**
   * Resolves when the first epoch of each model is there, and messages flow. The signal bounds the opening; what is
   * opened lives until it is disposed.
   */
  static async open(models: number, signal: AbortSignal): Promise<FaultsWorld> {
    await using opening = new AsyncDisposableStack();
    const life = new AbortController();
    opening.defer(() => life.abort(new Error("the world ends")));
    const cluster = opening.use(await servers.ministack({}, life.signal));
    const target = `http://${cluster.addresses[0]}`;
    const aws = new Aws(target);
    // It is shared with others.
    const prefix = `lf${systemIds.next().slice(-6)}`;
    opening.defer(() => removeAll(aws, prefix));
    const proxy = opening.use(
      await openLambdaFaults({ target, emulate: { publish: true, busy: true } }, life.signal),
    );
    // It takes any; the SDK wants some.
    process.env["AWS_ACCESS_KEY_ID"] ??= "stand-in";
    process.env["AWS_SECRET_ACCESS_KEY"] ??= "stand-in";
    const folder = await mkdtemp(join(tmpdir(), "greco-lambda-faults-"));
    opening.defer(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));
    const lambda = { region: REGION, endpoint: proxy.endpoint, prefix, elsewhere: true };
    const dev = opening.use(
      await startDev({ dataDir: folder, logLevel: "error", leaseMs: LEASE_MS, lambda }, life.signal),
    );
    const conductor = opening.use(await conductorOf(dev, lambda, opening));
    const stages: Stage[] = [];
    for (let n = 1; n <= models; n += 1)
      stages.push(await stageOf(`m${n}`, { aws, dev, prefix, proxy }, signal));
    const stack = opening.move();
    const world = new FaultsWorld({ aws, proxy, conductor }, prefix, stages, stack);
    try {
      await world.#begin(dev, signal);
    } catch (error) {
      await world[Symbol.asyncDispose]();
      throw error;
    }
    return world;
  }

  async #begin(dev: Dev, signal: AbortSignal): Promise<void> {
    const { conductor, proxy } = this.#parts;
    this.#foreign = await this.#others(signal);
    await conductor.start(signal);
    const flowing = new AbortController();
    this.#stack.defer(
      proxy.onCall((call, when) => {
        if (this.#foreign.some(({ name }) => name === call.functionName) && isWrite(call.operation))
          this.#touched.push(`${call.operation} of ${call.functionName}`);
        this.stages.find((stage) => stage.isMine(call))?.note(call, when);
      }),
    );
    await Promise.all(
      this.stages.map(async ({ parts: { model, history } }) => {
        const story = new Story(dev.clients("admin"), model);
        await story.begin(model, CONDUCTORS, signal);
        const draft = await story.draft("streams", STREAMS, false, signal);
        const version = committedVersion(await story.makeItSo(draft.name, draft.etag, "streams", signal));
        await history.take(version, undefined, signal);
      }),
    );
    for (const { messages } of this.stages) {
      const running = messages.start(flowing.signal);
      this.#stack.defer(async () => {
        flowing.abort(new Error("the world ends"));
        await running;
      });
    }
  }

  /** Tags of somebody else's, none at all, and a name that begins like ours with tags that we would have set. */
  async #others(signal: AbortSignal): Promise<readonly Foreign[]> {
    const { aws } = this.#parts;
    const ours = { "greco:prefix": this.#prefix, "greco:model": "m1", "greco:entity": "query/late@2" };
    const all: readonly (readonly [string, Readonly<Record<string, string>>])[] = [
      [`${this.#prefix}others`, { team: "somebody else" }],
      [`${this.#prefix}others-no-tags`, {}],
      [`${this.#prefix}-m1-late-2-0000000000`, ours],
    ];
    const made: Foreign[] = [];
    for (const [name, tags] of all) {
      await aws.put(name, tags, signal);
      while (!(await aws.isActive(name, signal))) await systemClock.sleep(LOOK_MS, signal);
      await aws.publish(name, signal);
      made.push({ name, picture: (await aws.look(name, signal))?.picture ?? "" });
    }
    return made;
  }

  /** Everything of others is as it was, and nobody has tried to write to it. */
  async foreignProblems(signal: AbortSignal): Promise<readonly string[]> {
    const problems = [...this.#touched];
    for (const { name, picture } of this.#foreign)
      if ((await this.#parts.aws.look(name, signal))?.picture !== picture)
        problems.push(`somebody else's ${name} is not as it was`);
    return problems;
  }

  /** Functions that begin like ours, and that no epoch and nobody else has. */
  async leftovers(signal: AbortSignal): Promise<readonly string[]> {
    const known = new Set(this.#foreign.map(({ name }) => name));
    for (const { inForce } of this.stages) if (inForce !== undefined) known.add(inForce.functionName);
    return (await this.#parts.aws.namesOf(this.#prefix, signal)).filter((name) => !known.has(name));
  }

  /** Whether anybody has asked for the account since the conductor started. */
  get askedForAccount(): boolean {
    return this.#parts.proxy.calls.some(
      ({ n, operation }) => n > this.#startedAt && operation === "GetAccountSettings",
    );
  }

  /** kill -9 once all of them have come to their calls, and a new process at once. */
  kill(parties: number, signal: AbortSignal): Kill {
    return new Kill(
      parties,
      () => this.#parts.conductor.kill("SIGKILL"),
      () => this.#start(signal),
    );
  }

  /** Nothing is remembered of what the one before has asked AWS for. */
  async restart(signal: AbortSignal): Promise<void> {
    await this.#parts.conductor.kill("SIGKILL");
    await this.#start(signal);
  }

  async #start(signal: AbortSignal): Promise<void> {
    this.#startedAt = this.#parts.proxy.calls.at(-1)?.n ?? 0;
    this.#settled = false;
    await this.#parts.conductor.start(signal);
  }

  /** A new process looks at every function that is in force; its calls are of no cell. */
  async settled(except: ReadonlySet<Stage>, signal: AbortSignal): Promise<void> {
    const { proxy } = this.#parts;
    while (!this.#settled) {
      const last = proxy.calls.filter(
        ({ n, operation, endedAtMs }) =>
          n > this.#startedAt && operation === "GetProvisionedConcurrencyConfig" && endedAtMs !== undefined,
      );
      const present = this.stages.filter((stage) => stage.isPresent && !except.has(stage));
      this.#settled = present.every((stage) => last.some((call) => stage.isMine(call)));
      if (!this.#settled) await systemClock.sleep(LOOK_MS, signal);
    }
  }

  get lastWords(): string {
    return this.#parts.conductor.lines
      .slice(-20)
      .map((line) => JSON.stringify(line).slice(0, 400))
      .join("\n");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}

type Given = {
  readonly aws: Aws;
  readonly dev: Dev;
  readonly prefix: string;
  readonly proxy: LambdaFaults;
};

async function stageOf(
  model: string,
  { aws, dev, prefix, proxy }: Given,
  signal: AbortSignal,
): Promise<Stage> {
  const name = `${prefix}-${model}`;
  const role = { name, arn: await aws.createRole(name, signal) };
  const history = new History(model, dev);
  const clients = dev.clients("admin");
  return new Stage({ model, prefix: `${prefix}-${model}-`, role, aws, proxy, clients, history });
}

/** Not started yet. */
async function conductorOf(
  dev: Dev,
  lambda: { readonly region: string; readonly endpoint: string; readonly prefix: string },
  stack: AsyncDisposableStack,
): Promise<AppProcess> {
  const keys = await createDevKeys(join(dev.dataDir, "keys"), systemClock);
  const token = join(dev.dataDir, "tokens", CONDUCTOR);
  const service = { kind: "conductor", name: CONDUCTOR } as const;
  await writeFile(token, await keys.issue({ subject: CONDUCTOR, service }), { mode: 0o600 });
  const flags = {
    ...{ engines: "embedded", data: dev.dataDir, listen: "127.0.0.1:0", "token-file": token },
    ...{ coordinator: dev.addresses.coordinator, registry: dev.addresses.registry },
    ...{ "lease-ms": LEASE_MS, "writer-lease-ms": LEASE_MS, "writes-per-second": WRITES_PER_SECOND },
    ...{ "lambda-region": lambda.region, "lambda-endpoint": lambda.endpoint },
    "function-prefix": lambda.prefix,
  };
  return appProcess({
    ...{ name: CONDUCTOR, app: CONDUCTOR, address: "", metrics: "", env: {} },
    flags: Object.entries(flags).map(([flag, value]) => `--${flag}=${value}`),
    reaper: stack.use(createReaper()),
  });
}

/** What a failure leaves, others would see. */
async function removeAll(aws: Aws, prefix: string): Promise<void> {
  const signal = AbortSignal.timeout(60_000);
  for (const name of await aws.namesOf(prefix, signal)) await aws.remove(name, signal);
}
