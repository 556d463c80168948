/** The TCP connections of another process, as the system knows them: whom it talks to, whatever it says of itself. */
import { readdir, readFile, readlink } from "node:fs/promises";
import { setTimeout as pause } from "node:timers/promises";

/** /proc/net/tcp's states, of which two matter: being made, and waiting for others. */
const SYN_SENT = "02";
const ESTABLISHED = "01";
const LISTEN = "0A";

type Socket = {
  readonly local: string;
  readonly remote: string;
  readonly state: string;
  readonly inode: string;
};

/** `0100007F:1F90` → `127.0.0.1:8080`: words are in the byte order of the machine, which is little-endian. */
export function addressOf(hex: string): string {
  const [words = "", port = ""] = hex.split(":");
  const bytes = (words.match(/.{8}/g) ?? []).flatMap((word) => [
    ...Buffer.from(word, "hex").reverse().values(),
  ]);
  const mapped = bytes.length === 16 && bytes.slice(0, 10).every((byte) => byte === 0);
  const host =
    bytes.length === 4 || mapped ? bytes.slice(-4).join(".") : `[${Buffer.from(bytes).toString("hex")}]`;
  return `${host}:${Number.parseInt(port, 16)}`;
}

async function socketsOf(pid: number): Promise<readonly Socket[]> {
  const links = await Promise.all(
    (await readdir(`/proc/${pid}/fd`)).map((fd) =>
      // A descriptor may be closed between the two looks.
      readlink(`/proc/${pid}/fd/${fd}`).catch(() => ""),
    ),
  );
  const own = new Set(links.flatMap((link) => /^socket:\[(\d+)\]$/.exec(link)?.[1] ?? []));
  const tables = await Promise.all(
    ["tcp", "tcp6"].map((name) => readFile(`/proc/${pid}/net/${name}`, "utf8")),
  );
  return tables.flatMap((table) =>
    table
      .trimEnd()
      .split("\n")
      .slice(1)
      .flatMap((line) => {
        const [, local = "", remote = "", state = "", , , , , , inode = ""] = line.trim().split(/\s+/);
        return own.has(inode) ? [{ local: addressOf(local), remote: addressOf(remote), state, inode }] : [];
      }),
  );
}

const portOf = (address: string): string => address.slice(address.lastIndexOf(":") + 1);

/** Whom a process has called, and is not called by: the far ends of the connections that it made, or tries to make. */
export async function calledBy(pid: number): Promise<readonly string[]> {
  const sockets = await socketsOf(pid);
  const doors = new Set(sockets.filter(({ state }) => state === LISTEN).map(({ local }) => portOf(local)));
  return sockets
    .filter(({ state }) => state === ESTABLISHED || state === SYN_SENT)
    .filter(({ local }) => !doors.has(portOf(local)))
    .map(({ remote }) => remote);
}

const LOOK_EVERY_MS = 20;

/** Looks at processes again and again, until it is disposed: what is seen once stays seen. */
export class ConnectionWatch implements AsyncDisposable {
  readonly #seen = new Map<string, Set<string>>();
  readonly #over = new AbortController();
  readonly #looking: Promise<void>[] = [];
  #failure: unknown;

  /** From now on. A process that ends is looked at no longer. */
  watch(name: string, pid: number): void {
    const seen = this.#seen.get(name) ?? new Set();
    this.#seen.set(name, seen);
    this.#looking.push(
      this.#look(pid, seen).catch((error: unknown) => {
        this.#failure = error;
      }),
    );
  }

  async #look(pid: number, seen: Set<string>): Promise<void> {
    const { signal } = this.#over;
    while (!signal.aborted) {
      try {
        for (const remote of await calledBy(pid)) seen.add(remote);
      } catch (error) {
        if (isGone(error)) return;
        throw error;
      }
      await pause(LOOK_EVERY_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  /** Everybody whom a process of this name was seen to call. */
  called(name: string): readonly string[] {
    if (this.#failure !== undefined) throw new Error("connections cannot be seen", { cause: this.#failure });
    return [...(this.#seen.get(name) ?? [])].toSorted();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#over.abort();
    await Promise.all(this.#looking);
  }
}

const isGone = (error: unknown): boolean =>
  error instanceof Error && ["ENOENT", "ESRCH"].includes((error as NodeJS.ErrnoException).code ?? "");
