/**
 * Entities as files: one or more documents a file, `{kind, name, spec}`, YAML or JSON. Kinds are
 * written as people write them (`Query`) and compared as ids (`query`).
 */
import { mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseAllDocuments, stringify } from "yaml";

export type EntityFile = {
  /** As in resource names: `query`. */
  readonly kind: string;
  readonly name: string;
  readonly spec: Readonly<Record<string, unknown>>;
  /** Where it was read, for messages. */
  readonly where: string;
};

/** A file that cannot be taken; the message says which, where and what to do. */
export class EntityFileError extends Error {
  override name = "EntityFileError";
}

const SEGMENT = /^[a-z0-9-]{1,63}$/;
const FIELDS = ["kind", "name", "spec"];

function toEntity(document: unknown, where: string): EntityFile {
  if (typeof document !== "object" || document === null || Array.isArray(document)) {
    throw new EntityFileError(`${where}: not an object with kind, name and spec`);
  }
  const fields = document as Record<string, unknown>;
  const odd = Object.keys(fields).find((field) => !FIELDS.includes(field));
  if (odd !== undefined)
    throw new EntityFileError(`${where}: unknown field '${odd}'; an entity has kind, name and spec`);
  const { kind, name, spec } = fields;
  if (typeof kind !== "string" || !SEGMENT.test(kind.toLowerCase())) {
    throw new EntityFileError(`${where}: kind must be a text like Query; got ${JSON.stringify(kind)}`);
  }
  if (typeof name !== "string" || !SEGMENT.test(name)) {
    throw new EntityFileError(`${where}: name must match [a-z0-9-]{1,63}; got ${JSON.stringify(name)}`);
  }
  if (typeof spec !== "object" || spec === null || Array.isArray(spec)) {
    throw new EntityFileError(`${where}: spec must be an object`);
  }
  return { kind: kind.toLowerCase(), name, spec: spec as Record<string, unknown>, where };
}

function parse(text: string, where: string): EntityFile[] {
  const entities: EntityFile[] = [];
  const documents = parseAllDocuments(text, { maxAliasCount: 100 } as never);
  if (!Array.isArray(documents)) return entities;
  documents.forEach((document, index) => {
    const at = documents.length > 1 ? `${where} (document ${index + 1})` : where;
    const error = document.errors[0];
    if (error !== undefined) throw new EntityFileError(`${at}: ${error.message}`);
    const value: unknown = document.toJS({ maxAliasCount: 100 });
    if (value !== null) entities.push(toEntity(value, at));
  });
  return entities;
}

/** All entities of a file, or of the files below a folder, in the order of kind and name; one each. */
export async function readEntities(path: string): Promise<EntityFile[]> {
  let files: string[];
  try {
    files = (await stat(path)).isDirectory()
      ? (await readdir(path, { recursive: true }))
          .filter((file) => /\.(ya?ml|json)$/.test(file))
          .sort()
          .map((file) => join(path, file))
      : [path];
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== "ENOENT") throw cause;
    throw new EntityFileError(`${path}: there is no such file or folder`, { cause });
  }
  const byKey = new Map<string, EntityFile>();
  for (const file of files) {
    for (const entity of parse(await readFile(file, "utf8"), file)) {
      const key = `${entity.kind}/${entity.name}`;
      const other = byKey.get(key);
      if (other !== undefined)
        throw new EntityFileError(`${entity.where}: ${key} stands in ${other.where} too; keep one`);
      byKey.set(key, entity);
    }
  }
  if (byKey.size === 0) throw new EntityFileError(`${path}: no entities in it (*.yaml, *.yml, *.json)`);
  return [...byKey.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, entity]) => entity);
}

export function formatEntity(displayKind: string, name: string, spec: unknown): string {
  return stringify({ kind: displayKind, name, spec }, { lineWidth: 110 });
}

/** `DIR/query/late-flights.yaml`; returns the path. */
export async function writeEntity(
  dir: string,
  entity: { kind: string; displayKind: string; name: string; spec: unknown },
): Promise<string> {
  const folder = join(dir, entity.kind);
  await mkdir(folder, { recursive: true });
  const path = join(folder, `${entity.name}.yaml`);
  await writeFile(path, formatEntity(entity.displayKind, entity.name, entity.spec));
  return path;
}
