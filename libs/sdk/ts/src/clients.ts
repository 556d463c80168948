/** All clients of a Greco at once. */
import { CommitService } from "@greco/contracts/greco/commit/v1/commit";
import { ConductorService } from "@greco/contracts/greco/conductor/v1/conductor";
import { IngressService } from "@greco/contracts/greco/dataplane/v1/dataplane";
import { RegistryService } from "@greco/contracts/greco/registry/v1/registry";
import { clientOn, type Client } from "./client.ts";
import { connect, type ConnectionOptions } from "./connection.ts";

export type GrecoAddresses = {
  readonly registry: string;
  /** Serves the commit protocol and the conductors. */
  readonly coordinator: string;
  readonly ingress: string;
};

export interface GrecoClients extends AsyncDisposable {
  readonly registry: Client<typeof RegistryService>;
  readonly commit: Client<typeof CommitService>;
  readonly conductors: Client<typeof ConductorService>;
  readonly ingress: Client<typeof IngressService>;
}

/** Connects at the first call of each. */
export function connectGreco(addresses: GrecoAddresses, options: ConnectionOptions): GrecoClients {
  const registry = connect(addresses.registry, options);
  const coordinator = connect(addresses.coordinator, options);
  const ingress = connect(addresses.ingress, options);
  return {
    registry: clientOn(registry, RegistryService),
    commit: clientOn(coordinator, CommitService),
    conductors: clientOn(coordinator, ConductorService),
    ingress: clientOn(ingress, IngressService),
    async [Symbol.asyncDispose]() {
      await Promise.all([registry, coordinator, ingress].map((each) => each[Symbol.asyncDispose]()));
    },
  };
}
