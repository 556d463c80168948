/** Resource names → their parts. The contract's patterns hold for a whole field; here the parts are bound to a model. */
import { isSegment, parseEntityResource, entityKey, type EntityKey } from "@greco/domain/model";
import { fault } from "@greco/service-kit";

/** `models/{m}` or anything below it → m. */
export function modelOf(name: string): string {
  const model = name.split("/")[1] ?? "";
  if (!name.startsWith("models/") || !isSegment(model)) throw invalid("name", name, "models/{model}");
  return model;
}

/** `models/{m}/{collection}/{id}` → m and id. */
export function partsOf(name: string, collection: string): { readonly model: string; readonly id: string } {
  const [models, model = "", middle, id = "", ...rest] = name.split("/");
  if (models !== "models" || middle !== collection || rest.length > 0 || !isSegment(model) || !isSegment(id))
    throw invalid("name", name, `models/{model}/${collection}/{id}`);
  return { model, id };
}

/** The draft's id; it must be one of `model`: a role there says nothing of another model. */
export function draftOf(model: string, name: string, field: string): string {
  const match = /^models\/([a-z0-9-]{1,63})\/drafts\/([a-z0-9-]{1,63})$/.exec(name);
  if (match === null) throw invalid(field, name, `models/${model}/drafts/{draft}`);
  if (match[1] !== model) throw otherModel(field, name, model);
  return match[2] as string;
}

export function entityOf(model: string, name: string, field: string): EntityKey {
  const parts = parseEntityResource(name);
  if (parts === undefined) throw invalid(field, name, `models/${model}/entities/{kind}/{name}`);
  if (parts.model !== model) throw otherModel(field, name, model);
  return entityKey(parts.kind, parts.name);
}

function invalid(field: string, value: string, form: string): Error {
  const description = `must be ${form} with segments [a-z0-9-]{1,63}; got ${JSON.stringify(value.slice(0, 120))}`;
  return fault.invalid("INVALID_NAME", `${field} ${description}`, [{ field, description }]);
}

function otherModel(field: string, value: string, model: string): Error {
  const description = `${value} is not of models/${model}: a call is about one model`;
  return fault.invalid("TWO_MODELS", `${field}: ${description}`, [{ field, description }]);
}
