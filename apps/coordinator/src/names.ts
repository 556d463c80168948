/** Resource names ↔ ids. Requests were checked by the contract's patterns; where those leave room, this refuses. */
import { conductorId, isSegment, modelId, type ConductorId, type ModelId } from "@greco/domain/model";
import { fault } from "@greco/service-kit";

export const modelName = (model: string): string => `models/${model}`;
export const proposalName = (model: string, proposal: string): string =>
  `models/${model}/proposals/${proposal}`;
export const draftName = (model: string, draft: string): string => `models/${model}/drafts/${draft}`;
export const conductorName = (conductor: string): string => `conductors/${conductor}`;

export function modelOf(name: string): ModelId {
  return modelId(name.split("/")[1] ?? "");
}

/** `models/{m}/{collection}/{id}` */
export function childOf(name: string): { readonly model: ModelId; readonly id: string } {
  const [, model = "", , id = ""] = name.split("/");
  if (!isSegment(id)) throw invalid("name", name, "models/{model}/…/{id}");
  return { model: modelId(model), id };
}

export function conductorOf(name: string): ConductorId {
  return conductorId(name.split("/")[1] ?? "");
}

/** `models/{m}`, or every model when it is empty. */
export function optionalModelOf(name: string): ModelId | undefined {
  if (name === "") return undefined;
  if (!/^models\/[a-z0-9-]{1,63}$/.test(name))
    throw invalid("model", name, "models/{model}, or empty for all");
  return modelOf(name);
}

function invalid(field: string, value: string, form: string): Error {
  const description = `must be ${form}; got ${JSON.stringify(value.slice(0, 120))}`;
  return fault.invalid("INVALID_NAME", `${field} ${description}`, [{ field, description }]);
}
