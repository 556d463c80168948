// Keys and tokens for deploy/compose.yaml: a key pair, a token for each service, one for an administrator.
//
//   node tools/deploy-keys.ts FOLDER
import { mkdir, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { createDevKeys, systemClock } from "@greco/service-kit";

const SERVICES = {
  coordinator: "control",
  "conductor-streams": "conductor",
  "conductor-tables": "conductor",
  "conductor-worker": "conductor",
  runtime: "runtime",
} as const;

const [folder] = process.argv.slice(2);
if (folder === undefined) {
  process.stderr.write("node tools/deploy-keys.ts FOLDER\n");
  process.exit(2);
}
const tokens = join(resolve(folder), "tokens");
const keys = await createDevKeys(resolve(folder), systemClock);
await mkdir(tokens, { recursive: true });
for (const [name, kind] of Object.entries(SERVICES)) {
  const token = await keys.issue({ subject: name, service: { kind, name } });
  await writeFile(join(tokens, name), token, { mode: 0o600 });
}
await writeFile(join(tokens, "admin"), await keys.issue({ subject: "admin" }), { mode: 0o600 });
process.stdout.write(`public keys: ${keys.keysFile}\ntokens: ${tokens}\n`);
