/** Every service as a process of its own, any number of each, on embedded stores in one folder. For tests. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { createDevKeys, type DevKeys, systemClock } from "@greco/service-kit";

export type App =
  | "registry"
  | "coordinator"
  | "ingress"
  | "runtime"
  | "conductor-streams"
  | "conductor-tables"
  | "conductor-worker";

export type Service = {
  readonly app: App;
  /** gRPC, or health alone. */
  readonly address: string;
  /** `http://127.0.0.1:41234/metrics` */
  readonly metrics: string;
  readonly child: ChildProcess;
  readonly exited: Promise<[number | null, string | null]>;
};

/** Says that it serves, with its address. */
const SERVING: Record<App, string> = {
  registry: "registry.started",
  coordinator: "coordinator.started",
  ingress: "ingress.serving",
  runtime: "runtime.serving",
  "conductor-streams": "conductor.started",
  "conductor-tables": "conductor.started",
  "conductor-worker": "conductor.started",
};

/** Two of them must outlast a pause of a busy machine. */
const LEASE_MS = 2_000;

export class Deployment implements AsyncDisposable {
  readonly folder: string;
  readonly #keys: DevKeys;
  readonly #env: Readonly<Record<string, string>>;
  readonly #children: ChildProcess[] = [];

  private constructor(folder: string, keys: DevKeys, env: Readonly<Record<string, string>>) {
    this.folder = folder;
    this.#keys = keys;
    this.#env = env;
  }

  /** `env`: beside the test's own, for every process. */
  static async open(env: Readonly<Record<string, string>> = {}): Promise<Deployment> {
    const folder = await mkdtemp(join(tmpdir(), "greco-deployment-"));
    await mkdir(join(folder, "tokens"));
    return new Deployment(folder, await createDevKeys(join(folder, "keys"), systemClock), env);
  }

  person(subject: string): Promise<string> {
    return this.#keys.issue({ subject });
  }

  /** `peers`: where the control plane is, for whoever calls it. */
  async start(
    app: App,
    peers: { readonly registry?: string; readonly coordinator?: string } = {},
  ): Promise<Service> {
    const main = join(import.meta.dirname, "../../..", app, "src/main.ts");
    const flags = [
      "--data",
      join(this.folder, "data"),
      "--metrics",
      "127.0.0.1:0",
      ...(await this.#flagsOf(app)),
    ];
    for (const [peer, address] of Object.entries(peers)) flags.push(`--${peer}`, address);
    const child = spawn(process.execPath, [main, ...flags], {
      env: { ...process.env, ...this.#env },
      stdio: ["ignore", "ignore", "pipe"],
    });
    this.#children.push(child);
    const exited = once(child, "exit") as Promise<[number | null, string | null]>;
    const said: string[] = [];
    const serving = Promise.withResolvers<string>();
    let metrics = "";
    createInterface({ input: child.stderr }).on("line", (line) => {
      said.push(line);
      // A process that crashes says so in its own words.
      if (!line.startsWith("{")) return;
      const { event, address, health } = JSON.parse(line) as {
        event: string;
        address?: string;
        health?: string;
      };
      if (event === "process.metrics") metrics = address ?? "";
      if (event === SERVING[app]) serving.resolve(address ?? health ?? "");
    });
    const died = exited.then((how) =>
      Promise.reject(new Error(`${app} ended (${how}):\n${said.join("\n")}`)),
    );
    died.catch(() => undefined);
    const address = await Promise.race([serving.promise, died]);
    return { app, address, metrics, child, exited };
  }

  async #flagsOf(app: App): Promise<readonly string[]> {
    const free = "127.0.0.1:0";
    const lease = ["--lease-ms", String(LEASE_MS)];
    switch (app) {
      case "registry":
        return ["--keys", this.#keys.keysFile, "--listen", free, "--connect", free];
      case "coordinator": {
        const token = await this.#tokenFile("coordinator", "control");
        return ["--keys", this.#keys.keysFile, "--listen", free, "--connect", free, "--token-file", token];
      }
      case "ingress":
        return ["--keys", this.#keys.keysFile, "--listen", free, "--connect", free, ...lease];
      case "runtime":
        return ["--listen", free, "--threads", "1", ...lease];
      default:
        return ["--listen", free, "--token-file", await this.#tokenFile(app, "conductor"), ...lease];
    }
  }

  async #tokenFile(name: string, kind: "control" | "conductor"): Promise<string> {
    const file = join(this.folder, "tokens", name);
    await writeFile(file, await this.#keys.issue({ subject: name, service: { kind, name } }), {
      mode: 0o600,
    });
    return file;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#children) child.kill("SIGKILL");
    await rm(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }
}
