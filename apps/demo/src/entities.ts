/** Entities as files: one or more documents a file, `{kind, name, spec}`, YAML or JSON. */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { parseAllDocuments } from "yaml";

export type EntityFile = {
  /** As in resource names: `query`. */
  readonly kind: string;
  readonly name: string;
  readonly spec: Readonly<Record<string, unknown>>;
};

function toEntity(document: unknown, where: string): EntityFile {
  if (typeof document !== "object" || document === null)
    throw new Error(`${where}: not an object {kind, name, spec}`);
  const { kind, name, spec } = document as Record<string, unknown>;
  if (typeof kind !== "string" || typeof name !== "string" || typeof spec !== "object" || spec === null) {
    throw new Error(`${where}: needs kind (text), name (text) and spec (object)`);
  }
  return { kind: kind.toLowerCase(), name, spec: spec as Record<string, unknown> };
}

/** All entities below a folder, in the order of their kind and name. */
export async function readEntities(dir: string): Promise<EntityFile[]> {
  const entities: EntityFile[] = [];
  const files = (await readdir(dir, { recursive: true }))
    .filter((file) => /\.(ya?ml|json)$/.test(file))
    .sort();
  for (const file of files) {
    const where = join(dir, file);
    for (const document of parseAllDocuments(await readFile(where, "utf8"))) {
      if (document.errors[0] !== undefined) throw new Error(`${where}: ${document.errors[0].message}`);
      const value: unknown = document.toJS();
      if (value !== null) entities.push(toEntity(value, where));
    }
  }
  if (entities.length === 0) throw new Error(`${dir}: no entity files (*.yaml, *.yml, *.json)`);
  return entities.sort((a, b) => `${a.kind}/${a.name}`.localeCompare(`${b.kind}/${b.name}`));
}
