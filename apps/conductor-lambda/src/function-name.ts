/**
 * Names of what a query becomes on AWS (docs/decisions/0100-lambda.md): the function, its tags, a version's
 * description, and the objects in the conductor's journal.
 *
 * N1. A name follows from prefix, model and identity alone, and two identities never share one: the readable part is
 * cut where it is too long, the hash never.
 */
import { createHash } from "node:crypto";
import {
  parseEntityIdentity,
  type CandidateId,
  type EntityIdentity,
  type ModelId,
} from "@greco/domain/model";
import { AWS_LIMITS } from "./limits.ts";

export type Owner = { readonly prefix: string; readonly model: ModelId; readonly entity: EntityIdentity };

const HASH_DIGITS = 10;

export function functionName({ prefix, model, entity }: Owner): string {
  const { name, createdVersion } = parseEntityIdentity(entity);
  const hash = createHash("sha256").update([prefix, model, entity].join("\n")).digest("hex");
  const readable = `${prefix}-${model}-${name}-${createdVersion}`;
  const cut = readable.slice(0, AWS_LIMITS.nameLengthMax - HASH_DIGITS - 1);
  return `${cut}-${hash.slice(0, HASH_DIGITS)}`;
}

const TAGS = { prefix: "greco:prefix", model: "greco:model", entity: "greco:entity" } as const;

export type Tags = Readonly<Record<string, string>>;

export const tagsOf = ({ prefix, model, entity }: Owner): Tags => ({
  [TAGS.prefix]: prefix,
  [TAGS.model]: model,
  [TAGS.entity]: entity,
});

/** Others may have added tags of their own; ours must say what we would have said. */
export function tagsMatch(owner: Owner, tags: Tags): boolean {
  return Object.entries(tagsOf(owner)).every(([key, value]) => tags[key] === value);
}

/** Whose function of this name it is, by its tags; undefined: not ours, whatever its name says. */
export function ownerOf(name: string, tags: Tags, mine: Pick<Owner, "prefix" | "model">): Owner | undefined {
  const entity = tags[TAGS.entity];
  if (entity === undefined || !tagsMatch({ ...mine, entity: entity as EntityIdentity }, tags))
    return undefined;
  const owner = { ...mine, entity: entity as EntityIdentity };
  try {
    return functionName(owner) === name ? owner : undefined;
  } catch {
    // A tag that is no identity is not one that we wrote.
    return undefined;
  }
}

/** A hint for people only: a version that serves several candidates keeps its first one. */
export function descriptionOf({ model, entity }: Owner, candidate: CandidateId, contentHash: string): string {
  const { name, createdVersion } = parseEntityIdentity(entity);
  return `greco ${model} ${name}@${createdVersion} ${candidate} content=${contentHash}`;
}

export type OutsideObject =
  | { readonly type: "function"; readonly name: string }
  | { readonly type: "version"; readonly name: string; readonly contentHash: string };

export const functionObject = (name: string): string => `function/${name}`;
export const versionObject = (name: string, contentHash: string): string => `version/${name}#${contentHash}`;

/** Throws for what is no object of ours: the journal holds nothing else. */
export function parseObject(object: string): OutsideObject {
  const version = /^version\/([A-Za-z0-9-]{1,64})#([0-9a-f]{16})$/.exec(object);
  if (version !== null) return { type: "version", name: version[1] ?? "", contentHash: version[2] ?? "" };
  const whole = /^function\/([A-Za-z0-9-]{1,64})$/.exec(object);
  if (whole !== null) return { type: "function", name: whole[1] ?? "" };
  throw new Error(`not an object of the Lambda conductor: ${JSON.stringify(object)}`);
}

/** `arn:aws:lambda:eu-west-1:123456789012:function:f:7` → its parts; undefined: not of a numbered version. */
export function parseQualifiedArn(
  arn: string,
): { readonly name: string; readonly version: string } | undefined {
  const match = /^arn:[a-z-]+:lambda:[a-z0-9-]+:\d+:function:([A-Za-z0-9-_]{1,64}):(\d+)$/.exec(arn);
  return match === null ? undefined : { name: match[1] ?? "", version: match[2] ?? "" };
}
