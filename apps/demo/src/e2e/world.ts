/** A whole Greco in this process for one test: fresh folder, free ports, and what tests do with it again and again. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Dev, type DevOptions, type Person, startDev } from "@greco/dev";
import type { EntityFile } from "@greco/entity-files";
import type { Proposal } from "@greco/contracts/greco/commit/v1/commit";
import { Story } from "../story.ts";

export const MODEL = "world";
export const PARENT = `models/${MODEL}`;
const TEST_MS = 60_000;

export function entity(kind: string, name: string, spec: Readonly<Record<string, unknown>>): EntityFile {
  return { kind, name, spec, where: `${kind}/${name}` };
}

export const stream = (
  name: string,
  properties: Readonly<Record<string, unknown>>,
  more: Readonly<Record<string, unknown>> = {},
): EntityFile =>
  entity("stream", name, {
    lanes: 2,
    schema: { type: "object", properties, required: Object.keys(properties) },
    ...more,
  });

/** A query that multiplies `n` and says which version of it did so. */
export const scaling = (name: string, from: string, to: string, factor: number): EntityFile =>
  entity("query", name, {
    from,
    to,
    select: { n: `event.n * ${factor}.0`, by: `event.by + "${name}x${factor} "` },
  });

const startOn = (dataDir: string, options: Partial<DevOptions>, signal: AbortSignal): Promise<Dev> =>
  startDev({ dataDir, logLevel: "error", ...options }, signal);

export class World implements AsyncDisposable {
  readonly signal: AbortSignal;
  readonly #dir: string;
  #dev: Dev;
  #drafts = 0;

  private constructor(dev: Dev, dir: string, signal: AbortSignal) {
    this.#dev = dev;
    this.#dir = dir;
    this.signal = signal;
  }

  /** With a model of its own and its conductors registered. */
  static async start(options: Partial<DevOptions> = {}): Promise<World> {
    const dir = await mkdtemp(join(tmpdir(), "greco-world-"));
    const signal = AbortSignal.timeout(TEST_MS);
    const dev = await startOn(dir, options, signal);
    const world = new World(dev, dir, signal);
    await world.story("admin").begin("a test", 3, signal);
    return world;
  }

  get dev(): Dev {
    return this.#dev;
  }

  /** Stops all parts and starts them again on their data, perhaps with other options. */
  async restart(options: Partial<DevOptions> = {}): Promise<void> {
    await this.#dev[Symbol.asyncDispose]();
    this.#dev = await startOn(this.#dir, options, this.signal);
  }

  story(person: Person): Story {
    return new Story(this.dev.clients(person), MODEL);
  }

  /** A new draft with these entities, by this person. */
  async draft(
    entities: readonly EntityFile[],
    person: Person = "editor",
  ): Promise<{ name: string; etag: string }> {
    this.#drafts += 1;
    return this.story(person).draft(`draft-${this.#drafts}`, entities, false, this.signal);
  }

  /** Draft, make it so, wait for the markers or the abort. */
  async commit(entities: readonly EntityFile[], reason = "a test"): Promise<Proposal> {
    const { name, etag } = await this.draft(entities);
    return this.story("releaser").makeItSo(name, etag, reason, this.signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.dev[Symbol.asyncDispose]();
    await rm(this.#dir, { recursive: true, force: true });
  }
}
