/**
 * A runtime misses bindings that the ledger names (cold boot). What they hold, conductors alone know: they are told,
 * and whoever made a binding makes it again. Nothing is recorded: the runtime holds, and asks again (I12), and any
 * replica passes it on, whoever drives.
 */
import type { RequestBindingsRequest } from "@greco/contracts/greco/conductor/v1/cold_boot";
import type { CallContext } from "@greco/service-kit";
import type { Coordinator } from "../coordinator.ts";
import { modelName, modelOf } from "../names.ts";
import { requireModel } from "./register.ts";

export async function requestBindings(
  { parts, driver, repairs }: Coordinator,
  request: RequestBindingsRequest,
  { signal, caller }: CallContext,
): Promise<Record<string, never>> {
  const model = modelOf(request.model);
  await requireModel(parts, model, signal);
  const bindings = repairs.take(model, request.bindings);
  if (bindings.length === 0) return {};
  try {
    await driver.announcer.publish(
      model,
      {
        commandId: `repair.${parts.ids.next()}`,
        model: modelName(model),
        command: { case: "repair", value: { bindings: [...bindings] } },
      },
      signal,
    );
  } catch (error) {
    repairs.untake(model, bindings);
    throw error;
  }
  parts.log.warn("bindings.missing", {
    ...{ model, caller: caller.subject, count: bindings.length },
    first: bindings[0]?.entity,
  });
  return {};
}
