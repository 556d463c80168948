/** What flows: the 20,000 flights of the npm package `vega-datasets`, or a file of the user's own. */
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export async function readInputs(file: string | undefined): Promise<readonly Record<string, unknown>[]> {
  const path =
    file ??
    join(dirname(fileURLToPath(import.meta.resolve("vega-datasets"))), "..", "data", "flights-20k.json");
  let value: unknown;
  try {
    value = JSON.parse(await readFile(path, "utf8"));
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`${path}: cannot be read as JSON (${why}); --input takes a JSON array of objects`, {
      cause,
    });
  }
  if (!Array.isArray(value) || value.length === 0) {
    throw new Error(`${path}: not a JSON array with objects in it; --input takes one`);
  }
  const odd = value.findIndex((each) => typeof each !== "object" || each === null || Array.isArray(each));
  if (odd >= 0) throw new Error(`${path}: item ${odd} is no object; --input takes a JSON array of objects`);
  return value as Record<string, unknown>[];
}
