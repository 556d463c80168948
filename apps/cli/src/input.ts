/** What a command reads: a file, or stdin when it is written `-`. */
import { readFile } from "node:fs/promises";
import { text } from "node:stream/consumers";
import { type EntityFile, EntityFileError, parseEntities, readEntities } from "@greco/entity-files";
import { CliError } from "./cli-error.ts";

export function unreadable(file: string, cause: unknown): CliError {
  return new CliError(
    `${file} cannot be read: ${(cause as Error).message}`,
    "name a file that there is, or - for stdin",
  );
}

export async function readText(file: string): Promise<string> {
  if (file === "-") return text(process.stdin);
  try {
    return await readFile(file, "utf8");
  } catch (cause) {
    throw unreadable(file, cause);
  }
}

/** From a file, a folder or stdin; each entity once. */
export async function entitiesAt(path: string): Promise<EntityFile[]> {
  if (path !== "-") return readEntities(path);
  const entities = parseEntities(await text(process.stdin), "stdin");
  if (entities.length === 0) throw new EntityFileError(["stdin: no entities in it"]);
  const seen = new Set<string>();
  const twice: string[] = [];
  for (const { kind, name, where } of entities) {
    const key = `${kind}/${name}`;
    if (seen.has(key)) twice.push(`${where}: ${key} stands there twice; keep one`);
    seen.add(key);
  }
  if (twice.length > 0) throw new EntityFileError(twice);
  return entities;
}
