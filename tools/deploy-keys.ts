// Secrets for deploy/compose.yaml: a key pair, a token for each service, one for an administrator, and the users of NATS
// (deploy/nats/nats.conf). Passwords that are there already stay.
//
//   node tools/deploy-keys.ts FOLDER
import { randomBytes } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { createDevKeys, systemClock } from "@greco/service-kit";

const SERVICES = {
  coordinator: "control",
  "conductor-streams": "conductor",
  "conductor-tables": "conductor",
  "conductor-worker": "conductor",
  runtime: "runtime",
} as const;

const NATS_USERS = ["coordinator", "conductor", "ingress", "runtime"] as const;

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

const nats = join(resolve(folder), "nats");
await mkdir(nats, { recursive: true });
const passwords: string[] = [];
for (const user of NATS_USERS) {
  const file = join(nats, user);
  const made = `${user}:${randomBytes(24).toString("hex")}`;
  await writeFile(file, made, { mode: 0o600, flag: "wx" }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "EEXIST") throw error;
  });
  const password = (await readFile(file, "utf8")).trim().slice(user.length + 1);
  passwords.push(`GRECO_NATS_${user.toUpperCase()}=${password}\n`);
}
const natsEnv = join(resolve(folder), "nats.env");
await writeFile(natsEnv, passwords.join(""), { mode: 0o600 });
process.stdout.write(`public keys: ${keys.keysFile}\ntokens: ${tokens}\nNATS: ${nats}, ${natsEnv}\n`);
