/**
 * A region in memory that behaves as AWS does, on a clock that a test moves: revision ids, updates that take time,
 * states, versions that never change, publishing that gives the last version again where nothing changed, a create that
 * is not seen at once. It outlives the conductors that work on it.
 */
import type { Clock } from "@greco/ports";
import { contentHashOf, type FunctionConfig } from "../function-config.ts";
import type { Tags } from "../function-name.ts";
import { createHash } from "node:crypto";
import { OPERATIONS, type OperationName } from "../operations.ts";
import {
  RegionError,
  type AccountFacts,
  type FunctionFacts,
  type ProvisionedFacts,
  type Region,
  type RegionErrorKind,
  type RoleFacts,
  type VersionFacts,
} from "../region.ts";

type Content = { readonly codeSha256: string; readonly config: FunctionConfig };
type Version = Content & {
  readonly number: number;
  readonly description: string;
  readonly activeAtMs: number;
};
type Provisioned = { readonly count: number; readonly readyAtMs: number };

class StoredFunction {
  readonly tags: Tags;
  content: Content;
  revision: string;
  readonly visibleAtMs: number;
  readonly activeAtMs: number;
  updatedAtMs: number;
  lastPublished: Version | undefined;
  versions: Version[] = [];
  nextNumber = 1;
  reserved: number | undefined;
  readonly provisioned = new Map<number, Provisioned>();
  readonly aliases = new Map<string, { version: string; revision: string }>();
  constructor(tags: Tags, content: Content, times: { visible: number; active: number }, revision: string) {
    this.tags = tags;
    this.content = content;
    this.visibleAtMs = times.visible;
    this.activeAtMs = times.active;
    this.updatedAtMs = times.active;
    this.revision = revision;
  }
}

export type Call = { readonly operation: OperationName; readonly name: string; readonly atMs: number };

/** Before: it has no effect. After: it has it, and the answer is lost. Late: it has no answer, and lands later. */
export type Fault = { readonly kind: RegionErrorKind; readonly when: "before" | "after" | "late" };

export type Delays = {
  readonly visibleMs: number;
  readonly createMs: number;
  readonly updateMs: number;
  readonly publishMs: number;
  readonly provisionMs: number;
  readonly lateMs: number;
};

const DELAYS: Delays = {
  visibleMs: 300,
  createMs: 2_000,
  updateMs: 1_000,
  publishMs: 2_000,
  provisionMs: 30_000,
  lateMs: 4_000,
};

const ACCOUNT = "arn:aws:lambda:eu-west-1:123456789012:function";

export class MemoryRegion implements Region {
  readonly #clock: Clock;
  readonly #delays: Delays;
  readonly functions = new Map<string, StoredFunction>();
  readonly roles = new Map<string, RoleFacts>();
  account: AccountFacts | undefined = {
    codeBytesMax: 75 * 1024 ** 3,
    codeBytes: 0,
    concurrencyMax: 1_000,
    unreserved: 1_000,
  };
  readonly calls: Call[] = [];
  /** Versions that were ever published, by function and content. */
  readonly published: { readonly name: string; readonly content: string; readonly version: string }[] = [];
  inFlight = 0;
  #revisions = 0;
  /** What becomes of the n-th call; may wait, throw, or change the region behind the caller's back. */
  fault: (call: Call, at: number) => Fault | undefined | Promise<Fault | undefined> = () => undefined;
  /** Why AWS says no to the next states. */
  failing: { create?: string; update?: string; publish?: string; provision?: string } = {};

  constructor(clock: Clock, delays: Partial<Delays> = {}) {
    this.#clock = clock;
    this.#delays = { ...DELAYS, ...delays };
  }

  get #now(): number {
    return this.#clock.monotonicMs();
  }

  #revision(): string {
    this.#revisions += 1;
    return `revision-${this.#revisions}`;
  }

  async #call<T>(operation: OperationName, name: string, signal: AbortSignal, work: () => T): Promise<T> {
    signal.throwIfAborted();
    const at = this.calls.length;
    const call = { operation, name, atMs: this.#now };
    this.calls.push(call);
    this.inFlight += 1;
    try {
      const fault = await this.fault(call, at);
      if (fault?.when === "late" && OPERATIONS[operation].writes) {
        void this.#clock
          .sleep(this.#delays.lateMs, new AbortController().signal)
          .then(() => work())
          .catch(() => undefined);
        throw errorOf(fault.kind, operation);
      }
      if (fault?.when === "before") throw errorOf(fault.kind, operation);
      const result = work();
      if (fault !== undefined) throw errorOf(fault.kind, operation);
      return result;
    } finally {
      this.inFlight -= 1;
    }
  }

  #seen(name: string): StoredFunction | undefined {
    const found = this.functions.get(name);
    return found !== undefined && this.#now >= found.visibleAtMs ? found : undefined;
  }

  #get(name: string, operation: OperationName): StoredFunction {
    const found = this.#seen(name);
    if (found === undefined) throw errorOf("notFound", operation);
    return found;
  }

  /** As AWS refuses it while something is under way. */
  #settled(name: string, operation: OperationName): StoredFunction {
    const found = this.#get(name, operation);
    if (this.#now < found.activeAtMs || this.#now < found.updatedAtMs) throw errorOf("conflict", operation);
    return found;
  }

  getFunction(name: string, version: string | undefined, signal: AbortSignal) {
    return this.#call("getFunction", name, signal, (): FunctionFacts | undefined => {
      const found = this.#seen(name);
      if (found === undefined) return undefined;
      const arn = `${ACCOUNT}:${name}`;
      const { tags, reserved } = found;
      if (version === undefined) {
        const created = stateAt(this.#now, found.activeAtMs, this.failing.create);
        const updating = this.#now < found.updatedAtMs && created.state === "Active";
        const failed = this.failing.update !== undefined && found.updatedAtMs > found.activeAtMs;
        return {
          ...found.content,
          ...created,
          arn,
          revisionId: found.revision,
          lastUpdate: updating ? "InProgress" : failed ? "Failed" : "Successful",
          lastUpdateReason: failed ? (this.failing.update ?? "") : "",
          tags,
          reserved,
        };
      }
      const one = found.versions.find(({ number }) => `${number}` === version);
      if (one === undefined) return undefined;
      return {
        ...{ codeSha256: one.codeSha256, config: one.config, arn: `${arn}:${version}`, tags, reserved },
        ...stateAt(this.#now, one.activeAtMs, this.failing.publish),
        revisionId: `version-${version}`,
        lastUpdate: "Successful",
        lastUpdateReason: "",
      };
    });
  }

  listVersions(name: string, signal: AbortSignal) {
    return this.#call("listVersions", name, signal, () =>
      (this.#seen(name)?.versions ?? []).map((each) => factsOf(name, each)),
    );
  }

  createFunction(given: Parameters<Region["createFunction"]>[0], signal: AbortSignal) {
    const { name, config, zip, tags } = given;
    return this.#call("createFunction", name, signal, () => {
      if (this.functions.has(name)) throw errorOf("conflict", "createFunction");
      const times = {
        visible: this.#now + this.#delays.visibleMs,
        active: this.#now + this.#delays.createMs,
      };
      const content = { codeSha256: shaOf(zip), config };
      this.functions.set(name, new StoredFunction(tags, content, times, this.#revision()));
    });
  }

  updateConfiguration(given: Parameters<Region["updateConfiguration"]>[0], signal: AbortSignal) {
    const { name, config, revisionId } = given;
    return this.#call("updateConfiguration", name, signal, () => {
      const found = this.#settled(name, "updateConfiguration");
      this.#update(found, revisionId, "updateConfiguration");
      const { architecture } = found.content.config;
      found.content = { ...found.content, config: { ...config, architecture } };
    });
  }

  updateCode(given: Parameters<Region["updateCode"]>[0], signal: AbortSignal) {
    const { name, zip, architecture, revisionId } = given;
    return this.#call("updateCode", name, signal, () => {
      const found = this.#settled(name, "updateCode");
      this.#update(found, revisionId, "updateCode");
      found.content = { codeSha256: shaOf(zip), config: { ...found.content.config, architecture } };
    });
  }

  #update(found: StoredFunction, revisionId: string, operation: OperationName): void {
    if (found.revision !== revisionId) throw errorOf("precondition", operation);
    found.revision = this.#revision();
    found.updatedAtMs = this.#now + this.#delays.updateMs;
  }

  publishVersion(given: Parameters<Region["publishVersion"]>[0], signal: AbortSignal) {
    const { name, codeSha256, revisionId, description } = given;
    return this.#call("publishVersion", name, signal, () => {
      const found = this.#settled(name, "publishVersion");
      if (found.revision !== revisionId) throw errorOf("precondition", "publishVersion");
      if (found.content.codeSha256 !== codeSha256) throw errorOf("refused", "publishVersion");
      const last = found.lastPublished;
      if (last !== undefined && sameContent(last, found.content) && found.versions.includes(last))
        return factsOf(name, last);
      const activeAtMs = this.#now + this.#delays.publishMs;
      const version = { ...found.content, number: found.nextNumber++, description, activeAtMs };
      found.versions.push(version);
      found.lastPublished = version;
      found.revision = this.#revision();
      const content = contentHashOf(version.codeSha256, version.config);
      this.published.push({ name, content, version: `${version.number}` });
      return factsOf(name, version);
    });
  }

  deleteFunction(name: string, version: string | undefined, signal: AbortSignal) {
    return this.#call("deleteFunction", name, signal, () => {
      const found = this.functions.get(name);
      if (found === undefined) return;
      if (version === undefined) {
        this.functions.delete(name);
        return;
      }
      if ([...found.aliases.values()].some((alias) => alias.version === version))
        throw errorOf("conflict", "deleteFunction");
      if (found.provisioned.has(Number(version))) throw errorOf("conflict", "deleteFunction");
      found.versions = found.versions.filter(({ number }) => `${number}` !== version);
    });
  }

  getProvisioned(name: string, version: string, signal: AbortSignal) {
    return this.#call("getProvisioned", name, signal, (): ProvisionedFacts | undefined => {
      const found = this.#seen(name)?.provisioned.get(Number(version));
      if (found === undefined) return undefined;
      const reason = this.failing.provision;
      const status = this.#now < found.readyAtMs ? "IN_PROGRESS" : reason === undefined ? "READY" : "FAILED";
      return { requested: found.count, status, reason: reason ?? "" };
    });
  }

  putProvisioned(name: string, version: string, count: number, signal: AbortSignal) {
    return this.#call("putProvisioned", name, signal, () => {
      const found = this.#get(name, "putProvisioned");
      if (!found.versions.some(({ number }) => `${number}` === version))
        throw errorOf("notFound", "putProvisioned");
      const readyAtMs = this.#now + this.#delays.provisionMs;
      found.provisioned.set(Number(version), { count, readyAtMs });
    });
  }

  deleteProvisioned(name: string, version: string, signal: AbortSignal) {
    return this.#call("deleteProvisioned", name, signal, () => {
      this.#seen(name)?.provisioned.delete(Number(version));
    });
  }

  putReserved(name: string, count: number, signal: AbortSignal) {
    return this.#call("putReserved", name, signal, () => {
      this.#get(name, "putReserved").reserved = count;
    });
  }

  deleteReserved(name: string, signal: AbortSignal) {
    return this.#call("deleteReserved", name, signal, () => {
      this.#get(name, "deleteReserved").reserved = undefined;
    });
  }

  getAlias(name: string, alias: string, signal: AbortSignal) {
    return this.#call("getAlias", name, signal, () => {
      const found = this.#seen(name)?.aliases.get(alias);
      return found === undefined ? undefined : { version: found.version, revisionId: found.revision };
    });
  }

  createAlias(name: string, alias: string, version: string, signal: AbortSignal) {
    return this.#call("createAlias", name, signal, () => {
      const { aliases } = this.#get(name, "createAlias");
      if (aliases.has(alias)) throw errorOf("conflict", "createAlias");
      aliases.set(alias, { version, revision: this.#revision() });
    });
  }

  updateAlias(
    name: string,
    alias: string,
    { version, revisionId }: Parameters<Region["updateAlias"]>[2],
    signal: AbortSignal,
  ) {
    return this.#call("updateAlias", name, signal, () => {
      const found = this.#get(name, "updateAlias").aliases.get(alias);
      if (found === undefined) throw errorOf("notFound", "updateAlias");
      if (found.revision !== revisionId) throw errorOf("precondition", "updateAlias");
      found.version = version;
      found.revision = this.#revision();
    });
  }

  getAccount(signal: AbortSignal) {
    return this.#call("getAccount", "", signal, () => this.account);
  }

  getRole(arn: string, signal: AbortSignal) {
    return this.#call("getRole", "", signal, () => this.roles.get(arn));
  }

  /** Somebody in the console. */
  edit(name: string, change: Partial<FunctionConfig>): void {
    const found = this.functions.get(name);
    if (found === undefined) throw new Error(`there is no function ${name} to edit`);
    found.content = { ...found.content, config: { ...found.content.config, ...change } };
    found.revision = this.#revision();
  }

  /** A function that somebody else made. */
  put(name: string, tags: Tags, config: FunctionConfig): void {
    const times = { visible: this.#now, active: this.#now };
    const content = { codeSha256: shaOf(new Uint8Array([7])), config };
    this.functions.set(name, new StoredFunction(tags, content, times, this.#revision()));
  }
}

export const shaOf = (zip: Uint8Array): string => createHash("sha256").update(zip).digest("base64");

const sameContent = (one: Content, other: Content): boolean =>
  contentHashOf(one.codeSha256, one.config) === contentHashOf(other.codeSha256, other.config);

const factsOf = (name: string, { number, codeSha256, config }: Version): VersionFacts => ({
  version: `${number}`,
  arn: `${ACCOUNT}:${name}:${number}`,
  codeSha256,
  config,
});

function stateAt(now: number, activeAtMs: number, failing: string | undefined) {
  if (now < activeAtMs) return { state: "Pending", reason: "it is being made" } as const;
  if (failing !== undefined) return { state: "Failed", reason: failing } as const;
  return { state: "Active", reason: "" } as const;
}

const CODES: Readonly<Record<RegionErrorKind, string>> = {
  conflict: "ResourceConflictException",
  precondition: "PreconditionFailedException",
  throttled: "TooManyRequestsException",
  notFound: "ResourceNotFoundException",
  unavailable: "ServiceException",
  unknown: "TimeoutError",
  denied: "AccessDeniedException",
  refused: "InvalidParameterValueException",
};

export function errorOf(kind: RegionErrorKind, operation: OperationName): RegionError {
  const what = OPERATIONS[operation].command;
  return new RegionError(kind, operation, CODES[kind], `${what} was made to fail`);
}
