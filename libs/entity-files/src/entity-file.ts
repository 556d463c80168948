/**
 * Entities as files: one or more documents a file, `{kind, name, spec}`, YAML or JSON. Kinds are
 * written as people write them (`Query`) and compared as ids (`query`).
 */
import { mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Document, isNode, isScalar, LineCounter, parseAllDocuments, stringify, visit } from "yaml";

export type EntityFile = {
  /** As in resource names: `query`. */
  readonly kind: string;
  readonly name: string;
  readonly spec: Readonly<Record<string, unknown>>;
  /** Where it was read, for messages. */
  readonly where: string;
};

/** Files that cannot be taken: all that is wrong in them, each with where it is. */
export class EntityFileError extends Error {
  override name = "EntityFileError";
  readonly problems: readonly string[];
  readonly next: string;
  constructor(
    problems: readonly string[],
    options: { readonly next?: string; readonly cause?: unknown } = {},
  ) {
    const [first = "nothing"] = problems;
    super(
      problems.length === 1
        ? first
        : `${problems.length} things are wrong in the files:\n  ${problems.join("\n  ")}`,
      { cause: options.cause },
    );
    this.problems = problems;
    this.next =
      options.next ?? "correct what is named; an entity is {kind, name, spec}, as `greco export` writes it";
  }
}

const SEGMENT = /^[a-z0-9-]{1,63}$/;
const FIELDS = ["kind", "name", "spec"];
const FILE_NAMES = /\.(ya?ml|json)$/;
/** Far more than a model has in one file; what is no entity file at all is refused before it is read. */
const FILE_BYTES_MAX = 64 * 1024 * 1024;

const shown = (value: unknown): string =>
  value === undefined ? "nothing" : JSON.stringify(value).slice(0, 80);

function toEntity(document: unknown, where: string, wrong: Wrong): EntityFile | undefined {
  if (typeof document !== "object" || document === null || Array.isArray(document)) {
    wrong(`${where}: not an object with kind, name and spec`);
    return undefined;
  }
  const fields = document as Record<string, unknown>;
  for (const odd of Object.keys(fields).filter((field) => !FIELDS.includes(field)))
    wrong(
      `${where}: unknown field '${odd}'; an entity has kind, name and spec, and its own fields stand in spec`,
    );
  const { kind, name, spec } = fields;
  const isKind = typeof kind === "string" && SEGMENT.test(kind.toLowerCase());
  if (!isKind) wrong(`${where}: kind must be a text like Query; got ${shown(kind)}`);
  const isName = typeof name === "string" && SEGMENT.test(name);
  if (!isName) {
    const quoted = typeof name === "number" || typeof name === "boolean" ? "; write it in quotes" : "";
    wrong(`${where}: name must match [a-z0-9-]{1,63}; got ${shown(name)}${quoted}`);
  }
  const isSpec = typeof spec === "object" && spec !== null && !Array.isArray(spec);
  if (!isSpec) wrong(`${where}: spec must be an object; got ${shown(spec)}`);
  if (!isKind || !isName || !isSpec) return undefined;
  return { kind: kind.toLowerCase(), name, spec: spec as Record<string, unknown>, where };
}

type Place = (offset: number) => string;

/** Takes one thing that is wrong; reading goes on, so that all are told at once. */
type Wrong = (problem: string) => void;

/** What JSON has no value for would arrive as another value than the file says. */
function refuseNonJson(document: Document, place: Place, wrong: Wrong): void {
  visit(document, {
    Scalar(_key, { value, source = "", range }) {
      const why = nonJson(value, source);
      if (why !== undefined) wrong(`${place(range?.[0] ?? 0)}: ${source} ${why}`);
    },
    Pair(_key, { key }) {
      if (isScalar(key) && (typeof key.value === "string" || typeof key.value === "number")) return;
      const at = isNode(key) ? (key.range?.[0] ?? 0) : 0;
      wrong(`${place(at)}: a field's name must be a text; write it in quotes`);
    },
  });
}

function nonJson(value: unknown, source: string): string | undefined {
  if (value instanceof Uint8Array) return "has no form in JSON; write it as a text";
  if (typeof value !== "number") return undefined;
  if (!Number.isFinite(value)) return "is no number of JSON; write it in quotes";
  const rounded =
    /^[+-]?\d+$/.test(source) && !Number.isSafeInteger(value) && BigInt(source) !== BigInt(value);
  return rounded ? `would be rounded to ${value}; write it in quotes` : undefined;
}

/** The entities of one text; `where` names it in messages. */
export function parseEntities(text: string, where: string): EntityFile[] {
  const problems: string[] = [];
  const entities = readText(text, where, (problem) => problems.push(problem));
  if (problems.length > 0) throw new EntityFileError(problems);
  return entities;
}

function readText(text: string, where: string, wrong: Wrong): EntityFile[] {
  const lines = new LineCounter();
  const documents = parseAllDocuments(text, { lineCounter: lines, prettyErrors: false, version: "1.2" });
  if (!Array.isArray(documents)) return [];
  const place: Place = (offset) => {
    const { line, col } = lines.linePos(offset);
    return `${where}:${line}:${col}`;
  };
  return documents.flatMap((document): EntityFile[] => {
    // What follows an error in a document is guessed at by the parser: its first is told.
    const error = document.errors[0];
    if (error !== undefined) {
      wrong(`${place(error.pos[0])}: ${error.message}`);
      return [];
    }
    let isJson = true;
    refuseNonJson(document, place, (problem) => {
      isJson = false;
      wrong(problem);
    });
    const value = isJson ? valueOf(document, where, wrong) : null;
    if (value === null || value === undefined) return [];
    const at = documents.length > 1 ? place(document.contents?.range?.[0] ?? 0) : where;
    const entity = toEntity(value, at, wrong);
    return entity === undefined ? [] : [entity];
  });
}

/** YAML's aliases can make a small file huge; a hundred of them are enough for people. */
function valueOf(document: Document, where: string, wrong: Wrong): unknown {
  try {
    return document.toJS({ maxAliasCount: 100 });
  } catch (cause) {
    wrong(`${where}: ${(cause as Error).message}`);
    return undefined;
  }
}

/** Files below a folder that may hold entities, in order; empty when there is no such folder. */
export async function entityFilesIn(dir: string): Promise<string[]> {
  try {
    const entries = await readdir(dir, { recursive: true, withFileTypes: true });
    return entries
      .filter((entry) => entry.isFile() && FILE_NAMES.test(entry.name))
      .map((entry) => join(entry.parentPath, entry.name))
      .sort();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}

async function filesAt(path: string): Promise<string[]> {
  try {
    const found = await stat(path);
    if (found.isDirectory()) return await entityFilesIn(path);
    if (found.size > FILE_BYTES_MAX)
      throw new EntityFileError([`${path}: ${found.size} bytes; at most ${FILE_BYTES_MAX} are read`], {
        next: "split it: a folder of files is read as one",
      });
    return [path];
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== "ENOENT") throw cause;
    throw new EntityFileError([`${path}: there is no such file or folder`], {
      next: "name a file or a folder that there is; `greco export -d DIR` writes one",
      cause,
    });
  }
}

/** All entities of a file, or of the files below a folder, in the order of kind and name; one each. */
export async function readEntities(path: string): Promise<EntityFile[]> {
  const byKey = new Map<string, EntityFile>();
  const problems: string[] = [];
  const wrong: Wrong = (problem) => problems.push(problem);
  for (const file of await filesAt(path)) {
    for (const entity of readText(await readFile(file, "utf8"), file, wrong)) {
      const key = `${entity.kind}/${entity.name}`;
      const other = byKey.get(key);
      if (other !== undefined) wrong(`${entity.where}: ${key} stands in ${other.where} too; keep one`);
      else byKey.set(key, entity);
    }
  }
  if (problems.length > 0) throw new EntityFileError(problems);
  if (byKey.size === 0)
    throw new EntityFileError([`${path}: no entities in it (*.yaml, *.yml, *.json)`], {
      next: "`greco export -d DIR` shows how entities are written",
    });
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
