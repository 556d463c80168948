// What a real server of development and tests is: installed once into a cache folder, started as a cluster of
// processes on loopback, and ended by whoever started it, even when that one is killed.

export type Say = (line: string) => void;

export type InstallOptions = {
  /** The cache folder: nothing is installed anywhere else. */
  readonly cache: string;
  readonly say: Say;
  readonly signal: AbortSignal;
};

export type StartOptions = InstallOptions & {
  readonly nodes: number;
  /** Where the cluster keeps its data and logs; made where it is missing. */
  readonly folder: string;
  /** Cassandra only: `nodes` are divided among them. Default: one. */
  readonly dataCenters?: readonly DataCenter[];
  /** Cassandra only: for measuring. It starts slowly, and is as quick as it can be once it is warm. */
  readonly forMeasuring?: boolean;
};

export type DataCenter = { readonly name: string; readonly nodes: number };

export type EngineName = "etcd" | "nats" | "cassandra" | "ministack" | "moto";

export type Engine = {
  readonly name: EngineName;
  /** What is installed, and by which variable a server that runs already is named. */
  readonly version: string;
  /** `main.ts start` starts it only when it is named. */
  readonly onRequest?: true;
  /** Installs what is not there yet, one process at a time. Throws `MissingToolchainError`. */
  install(options: InstallOptions): Promise<void>;
  /** Starts a cluster of what is installed; resolves when it serves. */
  start(options: StartOptions): Promise<Cluster>;
};

/** Disposing ends exactly the processes that it started; their data stay. */
export type Cluster = AsyncDisposable & {
  readonly name: string;
  /** What clients are given: host:port. */
  readonly addresses: readonly string[];
  readonly nodes: readonly ServerNode[];
  /** Where its nodes hear each other, the same port at each; for who wants to cut them from each other. */
  readonly peerPort?: number;
};

export type NodeSignal = "SIGKILL" | "SIGTERM" | "SIGSTOP" | "SIGCONT";

export type ServerNode = {
  readonly address: string;
  /** Undefined while it does not run. */
  readonly pid: number | undefined;
  /** Resolves when it has taken effect: the process is gone, stands, or goes on. */
  kill(signal: NodeSignal): Promise<void>;
  /** Again, with its data; resolves when it serves. */
  start(signal: AbortSignal): Promise<void>;
  /** Removes its data. Only while it does not run. */
  wipe(): Promise<void>;
};

/** The machine lacks what an engine is built or run with. */
export class MissingToolchainError extends Error {
  override name = "MissingToolchainError";
  readonly toolchain: string;
  constructor(engine: string, toolchain: string, howToGet: string) {
    super(
      `${engine} needs ${toolchain}, which is not on PATH: ${howToGet}. ` +
        "Without it, `npm test -- --embedded-only` leaves the tests on real servers out",
    );
    this.toolchain = toolchain;
  }
}
