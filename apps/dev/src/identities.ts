/** Who calls whom in `greco dev`: local keys, a token for each part and for each person that one plays. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Clock, CpStore, Log } from "@greco/ports";
import { roleOf } from "@greco/control-kit";
import {
  type Authority,
  createAuthority,
  createDevKeys,
  keysFromFile,
  type PersonRole,
  tokenVerifier,
} from "@greco/service-kit";

/** People of `greco dev`; each has its role in every model that gives it no other. */
export const PEOPLE = ["viewer", "editor", "releaser", "admin"] as const satisfies readonly PersonRole[];
export type Person = (typeof PEOPLE)[number];

export type Identities = {
  readonly authority: Authority;
  readonly people: Readonly<Record<Person, string>>;
  readonly control: string;
  readonly runtime: string;
  conductor(name: string): Promise<string>;
  /** Folder of the people's tokens, one file a person, readable by the owner alone. */
  readonly tokenDir: string;
};

const isPerson = (subject: string): subject is Person => (PEOPLE as readonly string[]).includes(subject);

export async function createIdentities(
  dir: string,
  store: CpStore,
  clock: Clock,
  log: Log,
): Promise<Identities> {
  const keys = await createDevKeys(join(dir, "keys"), clock);
  const tokens = tokenVerifier(await keysFromFile(keys.keysFile, clock, log), clock);
  const authority = createAuthority({
    tokens,
    roleOf: async (model, subject, signal) =>
      (await roleOf(store, model, subject, signal)) ?? (isPerson(subject) ? subject : undefined),
  });
  const tokenDir = join(dir, "tokens");
  await mkdir(tokenDir, { recursive: true, mode: 0o700 });
  const people = Object.fromEntries(
    await Promise.all(
      PEOPLE.map(async (person) => {
        const token = await keys.issue({ subject: person });
        await writeFile(join(tokenDir, person), token, { mode: 0o600 });
        return [person, token] as const;
      }),
    ),
  ) as Record<Person, string>;
  return {
    authority,
    people,
    tokenDir,
    control: await keys.issue({ subject: "coordinator", service: { kind: "control", name: "coordinator" } }),
    runtime: await keys.issue({ subject: "runtime", service: { kind: "runtime", name: "runtime" } }),
    conductor: (name) => keys.issue({ subject: name, service: { kind: "conductor", name } }),
  };
}
