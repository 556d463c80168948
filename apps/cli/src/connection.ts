/** Where the services are and who calls: flags, then the environment, then what `greco dev` wrote. */
import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { CommitService } from "@greco/contracts/greco/commit/v1/commit";
import { ConductorService } from "@greco/contracts/greco/conductor/v1/conductor";
import { IngressService } from "@greco/contracts/greco/dataplane/v1/dataplane";
import { RegistryService } from "@greco/contracts/greco/registry/v1/registry";
import { type Client, createClient } from "@greco/sdk";
import { isSegment } from "@greco/domain/model";
import { CliError } from "./cli-error.ts";
import { given } from "./given.ts";
import { parseDuration } from "./times.ts";

export type ConnectionFlags = {
  readonly data?: string;
  readonly registry?: string;
  readonly coordinator?: string;
  readonly ingress?: string;
  readonly tokenFile?: string;
  readonly as?: string;
  readonly timeout?: string;
};

export type Clients = {
  readonly registry: Client<typeof RegistryService>;
  readonly commit: Client<typeof CommitService>;
  readonly conductors: Client<typeof ConductorService>;
  readonly ingress: Client<typeof IngressService>;
  readonly addresses: Addresses;
};

export type Addresses = { readonly registry: string; readonly coordinator: string; readonly ingress: string };

type ConnectionFile = Addresses & { readonly tokens: string };

export const dataDir = (flags: ConnectionFlags): string =>
  flags.data ?? given(process.env["GRECO_DATA"]) ?? join(homedir(), ".greco", "dev");

async function readConnectionFile(dir: string): Promise<ConnectionFile | undefined> {
  try {
    return JSON.parse(await readFile(join(dir, "connection.json"), "utf8")) as ConnectionFile;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw new CliError(
      `${join(dir, "connection.json")} cannot be read: ${(error as Error).message}`,
      "start `greco dev` again: it writes the file",
    );
  }
}

export async function findAddresses(
  flags: ConnectionFlags,
): Promise<{ addresses: Addresses; tokens: string | undefined }> {
  const dir = dataDir(flags);
  const file = await readConnectionFile(dir);
  const address = (name: keyof Addresses): string => {
    const found = flags[name] ?? given(process.env[`GRECO_${name.toUpperCase()}`]) ?? file?.[name];
    if (found === undefined) {
      throw new CliError(
        `no address of the ${name}: ${dir} has no connection.json`,
        `start \`greco dev\`, or give --data DIR, --${name} HOST:PORT or GRECO_${name.toUpperCase()}`,
      );
    }
    return found;
  };
  return {
    addresses: {
      registry: address("registry"),
      coordinator: address("coordinator"),
      ingress: address("ingress"),
    },
    tokens: file?.tokens,
  };
}

async function findToken(flags: ConnectionFlags, tokens: string | undefined): Promise<string> {
  const token = given(process.env["GRECO_TOKEN"]);
  if (flags.tokenFile === undefined && flags.as === undefined && token !== undefined) return token.trim();
  const { as = "admin" } = flags;
  if (!isSegment(as))
    throw new CliError(
      `--as names a person, as editor; got '${as}'`,
      "greco dev has viewer, editor, releaser and admin",
    );
  const file = flags.tokenFile ?? (tokens === undefined ? undefined : join(tokens, as));
  if (file === undefined)
    throw new CliError(
      "no token",
      "give --token-file FILE or GRECO_TOKEN; `greco dev` makes tokens of its own",
    );
  try {
    return (await readFile(file, "utf8")).trim();
  } catch (cause) {
    throw new CliError(
      `the token file ${file} cannot be read: ${(cause as Error).message}`,
      flags.as === undefined
        ? "give another with --token-file"
        : "greco dev has tokens for viewer, editor, releaser and admin (--as)",
    );
  }
}

export async function openClients(flags: ConnectionFlags, stack: AsyncDisposableStack): Promise<Clients> {
  const { addresses, tokens } = await findAddresses(flags);
  const token = await findToken(flags, tokens);
  const deadlineMs = parseDuration(flags.timeout ?? "30s", "--timeout");
  const make = <S extends Parameters<typeof createClient>[0]>(service: S, address: string): Client<S> =>
    stack.use(createClient(service, { address, token, deadlineMs }));
  return {
    registry: make(RegistryService, addresses.registry),
    commit: make(CommitService, addresses.coordinator),
    conductors: make(ConductorService, addresses.coordinator),
    ingress: make(IngressService, addresses.ingress),
    addresses,
  };
}
