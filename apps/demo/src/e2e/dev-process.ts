/** `greco dev` as a process of its own, so that a test can kill it where it hurts and start it again on its data. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { CommitService } from "@greco/contracts/greco/commit/v1/commit";
import { ConductorService } from "@greco/contracts/greco/conductor/v1/conductor";
import { IngressService } from "@greco/contracts/greco/dataplane/v1/dataplane";
import { RegistryService } from "@greco/contracts/greco/registry/v1/registry";
import type { Person } from "@greco/dev";
import { type Client, createClient } from "@greco/sdk";
import { type Clients, Story } from "../story.ts";
import { MODEL } from "./world.ts";

const MAIN = fileURLToPath(import.meta.resolve("@greco/dev/main"));
/** Short, so that a restart goes on soon; long enough for two busy cores. */
const LEASE_MS = "1000";
/** Less than the test's own limit: then the test says what it waited for. */
const TEST_MS = 110_000;
const CALL_MS = 20_000;

export class DevProcess implements AsyncDisposable {
  readonly dir: string;
  readonly signal: AbortSignal;
  #child: ChildProcess | undefined;
  #ended: Promise<number | null> = Promise.resolve(null);
  #connections = new AsyncDisposableStack();
  #tokens = new Map<Person, string>();
  #addresses: { registry: string; coordinator: string; ingress: string } | undefined;
  #errors = "";

  private constructor(dir: string, limitMs: number) {
    this.dir = dir;
    this.signal = AbortSignal.timeout(limitMs);
  }

  /** `limitMs`: for all of the test. */
  static async prepare(limitMs = TEST_MS): Promise<DevProcess> {
    return new DevProcess(await mkdtemp(join(tmpdir(), "greco-process-")), limitMs);
  }

  /** `failpoint` as in GRECO_FAILPOINT, `commit.promote.after:kill`; its hits count from `arm()` on. */
  async start(failpoint?: string): Promise<void> {
    const points =
      failpoint === undefined ? {} : { GRECO_FAILPOINT: failpoint, GRECO_FAILPOINT_WHEN: this.#armed };
    const env = { ...process.env, ...points };
    const child = spawn(
      process.execPath,
      [
        "--disable-warning=ExperimentalWarning",
        MAIN,
        "--data",
        this.dir,
        "--port-base",
        "0",
        "--log-level",
        "error",
        "--lease-ms",
        LEASE_MS,
      ],
      {
        env,
        stdio: ["ignore", "pipe", "pipe"],
      },
    );
    this.#child = child;
    // A test that is given up must not leave it behind.
    const endWithTests = (): boolean => child.kill("SIGKILL");
    process.once("exit", endWithTests);
    child.once("exit", () => process.off("exit", endWithTests));
    this.#ended = new Promise((resolve) => child.once("exit", resolve));
    child.stderr
      .setEncoding("utf8")
      .on("data", (text: string) => (this.#errors = (this.#errors + text).slice(-4_000)));
    await new Promise<void>((resolve, reject) => {
      child.stdout.setEncoding("utf8").on("data", (text: string) => {
        if (text.includes("Greco serves")) resolve();
      });
      child.once("exit", (code, signal) =>
        reject(new Error(`greco dev ended with ${code ?? signal}: ${this.#errors}`)),
      );
      child.once("error", reject);
    });
    await this.#connections.disposeAsync();
    this.#connections = new AsyncDisposableStack();
    const file = JSON.parse(await readFile(join(this.dir, "connection.json"), "utf8")) as {
      registry: string;
      coordinator: string;
      ingress: string;
      tokens: string;
    };
    this.#addresses = file;
    for (const person of ["viewer", "editor", "releaser", "admin"] as const) {
      this.#tokens.set(person, await readFile(join(file.tokens, person), "utf8"));
    }
  }

  async arm(): Promise<void> {
    await writeFile(this.#armed, "");
  }

  get #armed(): string {
    return join(this.dir, "armed");
  }

  /** What the process wrote to stderr, for failures. */
  get errors(): string {
    return this.#errors;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Resolves when it is gone, by a failpoint or otherwise. */
  async ended(): Promise<void> {
    await this.#ended;
  }

  /** Ended by SIGKILL, as by a failpoint; not by a failure of its own. */
  get wasKilled(): boolean {
    return this.#child?.signalCode === "SIGKILL";
  }

  get isRunning(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  async kill(): Promise<void> {
    this.#child?.kill("SIGKILL");
    await this.#ended;
  }

  clients(person: Person): Clients {
    const addresses = this.#addresses;
    const token = this.#tokens.get(person);
    if (addresses === undefined || token === undefined) throw new Error("start() first");
    const client = <S extends Parameters<typeof createClient>[0]>(service: S, address: string): Client<S> =>
      this.#connections.use(createClient(service, { address, token, deadlineMs: CALL_MS }));
    return {
      registry: client(RegistryService, addresses.registry),
      commit: client(CommitService, addresses.coordinator),
      conductors: client(ConductorService, addresses.coordinator),
      ingress: client(IngressService, addresses.ingress),
    };
  }

  story(person: Person): Story {
    return new Story(this.clients(person), MODEL);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#connections.disposeAsync();
    if (this.isRunning) await this.kill();
    await rm(this.dir, { recursive: true, force: true });
  }
}
