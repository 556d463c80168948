/**
 * An area outside, such as a cloud's functions: objects by name, each with the candidate that made it. It
 * outlives the conductors that work on it, as a cloud does. `RegionConductor` owns kind `thing` and makes one
 * object a thing, named by its content, so that versions with the same content share it.
 */
import { canonicalJson, parseEntityIdentity, type EntityKey, type JsonValue } from "@greco/domain/model";
import type {
  Accept,
  Conductor,
  Drift,
  Finding,
  InForce,
  NewBinding,
  Outcome,
  Preparation,
  Retirement,
  ReviewRequest,
  Veto,
} from "../conductor.ts";

export class Region {
  readonly objects = new Map<string, string>();
  /** Runs before a create lands; may wait, or throw. The signal ends the prepare. */
  beforeCreate: (name: string, signal: AbortSignal) => Promise<void> = () => Promise.resolve();
  /** Runs before a delete; may wait, or throw. */
  beforeDelete: (name: string) => Promise<void> = () => Promise.resolve();

  async create(name: string, candidate: string, signal: AbortSignal): Promise<void> {
    await this.beforeCreate(name, signal);
    if (!this.objects.has(name)) this.objects.set(name, candidate);
  }

  async delete(name: string): Promise<void> {
    await this.beforeDelete(name);
    this.objects.delete(name);
  }
}

const objectOf = (specJson: string): string => `object-${specJson.replaceAll(/[^a-z0-9]/g, "")}`;

export class RegionConductor implements Conductor {
  readonly name = "c";
  readonly kinds = ["thing"];
  readonly calls: string[] = [];
  readonly #region: Region;
  vetoed: (request: ReviewRequest) => Finding | undefined = () => undefined;

  constructor(region: Region) {
    this.#region = region;
  }

  async review(request: ReviewRequest): Promise<Accept | Veto> {
    this.calls.push(`review ${request.affected.map((each) => `${each.change} ${each.identity}`).join(", ")}`);
    const finding = this.vetoed(request);
    if (finding !== undefined) return { vote: "veto", findings: [finding] };
    const claims: EntityKey[] = request.affected.map((each) => each.key);
    return { vote: "accept", claims, plan: { steps: [], prepareTimeMs: 5, cost: "" } };
  }

  async prepare(
    { candidate, claimed, intend }: Preparation,
    signal: AbortSignal,
  ): Promise<readonly NewBinding[]> {
    this.calls.push(`prepare ${candidate}`);
    const wanted = claimed.filter((each) => each.after !== undefined);
    const made = wanted.map((each) => ({
      entity: each.identity,
      object: objectOf(each.after?.specJson ?? ""),
      content: canonicalJson(each.after?.spec as JsonValue),
    }));
    await intend(made.map((each) => each.object));
    for (const { object } of made) await this.#region.create(object, candidate, signal);
    return made.map(({ entity, content, object }) => ({ entity, content, uses: [object] }));
  }

  async release({ candidate }: Outcome): Promise<void> {
    this.calls.push(`release ${candidate}`);
    return Promise.resolve();
  }

  async undo({ candidate, objects }: Outcome): Promise<void> {
    this.calls.push(`undo ${candidate}`);
    for (const name of objects) await this.#region.delete(name);
  }

  async retire({ entity, candidate, free }: Retirement): Promise<void> {
    this.calls.push(`retire ${parseEntityIdentity(entity).name}#${candidate}`);
    for (const name of free) await this.#region.delete(name);
  }
}

/** One that also looks whether its objects are there, and makes those again that are not. */
export class WatchfulConductor extends RegionConductor {
  readonly #region: Region;
  /** Runs within each look; may wait, or throw. */
  beforeLook: (inForce: InForce, signal: AbortSignal) => Promise<void> = () => Promise.resolve();

  constructor(region: Region) {
    super(region);
    this.#region = region;
  }

  async inspect(inForce: InForce, signal: AbortSignal): Promise<readonly Drift[]> {
    this.calls.push(`inspect ${bindingsIn(inForce)}`);
    await this.beforeLook(inForce, signal);
    return this.#gone(inForce);
  }

  async mend(inForce: InForce, signal: AbortSignal): Promise<readonly Drift[]> {
    this.calls.push(`mend ${bindingsIn(inForce)}`);
    const gone = this.#gone(inForce);
    for (const { object } of gone) await this.#region.create(object, "mended", signal);
    this.calls.push("mended");
    return gone.map((each) => ({ ...each, mended: true }));
  }

  #gone({ bindings, superseded }: InForce): readonly Drift[] {
    return [...bindings, ...superseded].flatMap(({ entity, content }): Drift[] => {
      const object = objectOf(content);
      if (this.#region.objects.has(object)) return [];
      const said = { reason: "OBJECT_GONE", message: `${object} is gone`, remedy: "greco repair" };
      return [{ entity: parseEntityIdentity(entity).key, object, ...said }];
    });
  }
}

const bindingsIn = ({ bindings, version }: InForce): string =>
  [`v${version}`, ...bindings.map(({ entity, candidate }) => `${entity}#${candidate}`).toSorted()].join(" ");
