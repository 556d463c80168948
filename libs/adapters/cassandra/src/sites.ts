/**
 * Sessions by site. What is swapped, sealed or read strongly of a lane goes through a node of the lane's site (R2): a
 * LOCAL_SERIAL of another site is another register. Own requests go to the own site only, so that a cut from the others
 * changes nothing for them (I9).
 */
import { StoreUnavailableError } from "@greco/ports";
import { migrate } from "./migrate.ts";
import type { CassandraOptions } from "./options.ts";
import { clientOf, hostsOf, newStamps, Session } from "./session.ts";
import { readError } from "./errors.ts";

export type Sites = AsyncDisposable & {
  readonly own: Session;
  /** The own session for the own site; else one that is opened when it is first asked for. */
  at(site: string | undefined): Promise<Session>;
};

export async function openSites(options: CassandraOptions, signal: AbortSignal): Promise<Sites> {
  const { localDataCenter, keyspace } = options;
  const hosts = hostsOf(options.contactPoints);
  await prepareKeyspace(options, hosts, signal);
  const own = await openSession(options, localDataCenter, hosts);
  const others = new Map<string, Promise<Session>>();

  const open = async (site: string): Promise<Session> => {
    const nodes = own.nodesOf(site);
    if (nodes.length === 0)
      throw new StoreUnavailableError(
        `no node of data centre ${site} is known to keyspace ${keyspace} at ${localDataCenter}: is it in the cluster?`,
      );
    return openSession(options, site, nodes);
  };

  return {
    own,
    at(site) {
      if (site === undefined || site === localDataCenter) return Promise.resolve(own);
      let session = others.get(site);
      if (session === undefined) {
        session = open(site);
        others.set(site, session);
        // Cut off: the next who asks tries again.
        session.catch(() => others.delete(site));
      }
      return session;
    },
    async [Symbol.asyncDispose]() {
      await own.close();
      for (const session of others.values())
        await session.then(
          (opened) => opened.close(),
          () => undefined,
        );
    },
  };
}

async function prepareKeyspace(
  options: CassandraOptions,
  hosts: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  const client = clientOf(options, options.localDataCenter, hosts);
  try {
    await connected(client.connect());
    await migrate(client, options, signal);
  } finally {
    await client.shutdown();
  }
}

async function openSession(
  options: CassandraOptions,
  site: string,
  hosts: readonly string[],
): Promise<Session> {
  const stamps = newStamps();
  const client = clientOf(options, site, hosts, options.keyspace, stamps);
  try {
    await connected(client.connect());
  } catch (error) {
    await client.shutdown();
    throw error;
  }
  return new Session(client, site, stamps);
}

async function connected(connecting: Promise<unknown>): Promise<void> {
  await connecting.catch((error: unknown) => {
    throw readError(error);
  });
}
