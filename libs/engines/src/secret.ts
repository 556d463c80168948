/** A user and a password, from a file that holds `user:password` (STYLE 14: no secret on a command line). */
import { readFile } from "node:fs/promises";

export type Secret = { readonly user: string; readonly password: string };

export async function readSecret(file: string): Promise<Secret> {
  const text = (await readFile(file, "utf8")).trim();
  const colon = text.indexOf(":");
  if (colon < 1) throw new Error(`${file} must hold user:password on one line`);
  return { user: text.slice(0, colon), password: text.slice(colon + 1) };
}
