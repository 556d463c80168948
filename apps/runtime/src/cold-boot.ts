/** The one question to the control plane (I10), over gRPC: the only contract of it that a runtime knows. */
import { ColdBootService } from "@greco/contracts/greco/conductor/v1/cold_boot";
import type { ColdBoot } from "@greco/runtime-kit";
import { createClient, tokenFromFile, type Client } from "@greco/sdk";

export function coldBootBy(client: Pick<Client<typeof ColdBootService>, "requestBindings">): ColdBoot {
  return async ({ model, bindings }, signal) => {
    await client.requestBindings({ model: `models/${model}`, bindings: [...bindings] }, { signal });
  };
}

export type ColdBootSettings = {
  readonly coordinator: string | undefined;
  readonly tokenFile: string | undefined;
};

/** Undefined: there is nobody to ask, and a runtime needs nobody. The stack owns the connection. */
export function openColdBoot(
  { coordinator, tokenFile }: ColdBootSettings,
  stack: AsyncDisposableStack,
): ColdBoot | undefined {
  if (coordinator === undefined && tokenFile === undefined) return undefined;
  if (coordinator === undefined || tokenFile === undefined)
    throw new Error(
      `--${coordinator === undefined ? "coordinator" : "token-file"} is missing: give both, or neither`,
    );
  // No connection is made before something is asked.
  return coldBootBy(
    stack.use(createClient(ColdBootService, { address: coordinator, token: tokenFromFile(tokenFile) })),
  );
}
