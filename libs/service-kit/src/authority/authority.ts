/**
 * The authority of every service: a token says who calls, the table of the contract says which role a method needs,
 * and a function given by the app says which role a person has in a model (I14).
 *
 * A3. A refusal names the missing role and who can grant it, and is decided before the handler runs.
 * A4. A part of Greco acts as itself: a conductor's token names the one conductor it may answer for, and a runtime's
 *     token opens only what lists runtimes (I10).
 * A5. All models that a request names are one: a role in one model never reaches into another.
 */
import type { DescMethod, Message } from "@bufbuild/protobuf";
import { fault, type Fault } from "../fault.ts";
import { methodName } from "../handlers.ts";
import type { Authority, Caller } from "./caller.ts";
import { PERSON_ROLES, roleTable, type MethodRule, type PersonRole } from "./rules.ts";
import type { TokenVerifier } from "./tokens.ts";

/** The role of a person in a model; undefined: none, or no such model. */
export type RoleLookup = (
  model: string,
  subject: string,
  signal: AbortSignal,
) => Promise<PersonRole | undefined>;

export type AuthorityOptions = { readonly tokens: TokenVerifier; readonly roleOf: RoleLookup };

export function createAuthority({ tokens, roleOf }: AuthorityOptions): Authority {
  const rules = new WeakMap<DescMethod, MethodRule>();

  function ruleOf(method: DescMethod): MethodRule {
    const known = rules.get(method);
    if (known !== undefined) return known;
    for (const [each, rule] of roleTable([method.parent])) rules.set(each, rule);
    return ruleOf(method);
  }

  return {
    authenticate(authorization, method) {
      if (ruleOf(method).anyone) return { subject: "anonymous" };
      return tokens.verify(bearerOf(authorization));
    },

    authorize(caller, method, request, signal) {
      const rule = ruleOf(method);
      if (rule.anyone) return undefined;
      const { service } = caller;
      if (service === undefined) return authorizePerson(caller, method, rule, request, signal);
      if (service.kind === "conductor" && rule.conductor) return asItself(service.name, method, request);
      if (rule[service.kind] || (rule.authenticated && service.kind !== "runtime")) return undefined;
      throw refusedService(service, method, rule);
    },
  };

  async function authorizePerson(
    { subject }: Caller,
    method: DescMethod,
    rule: MethodRule,
    request: Message,
    signal: AbortSignal,
  ): Promise<void> {
    if (rule.authenticated) return;
    if (rule.person === undefined) throw refusedPerson(subject, method, rule);
    const model = modelOf(method, rule, request);
    const held = await roleOf(model, subject, signal);
    if (held === undefined || PERSON_ROLES.indexOf(held) < PERSON_ROLES.indexOf(rule.person))
      throw missingRole(subject, method, model, rule.person, held);
  }
}

function bearerOf(authorization: string | undefined): string {
  if (authorization === undefined)
    throw fault.unauthenticated("TOKEN_MISSING", "no token: send the header `authorization: Bearer …`");
  const token = /^bearer +(\S+) *$/i.exec(authorization)?.[1];
  if (token === undefined)
    throw fault.unauthenticated("TOKEN_MALFORMED", "the header `authorization` is not `Bearer` and a token");
  return token;
}

const MODEL = /^models\/([a-z0-9-]{1,63})(?:\/|$)/;

/** A5 */
function modelOf(method: DescMethod, rule: MethodRule, request: Message): string {
  let found: { readonly model: string; readonly path: string } | undefined;
  for (const { path, read } of rule.modelFields) {
    const model = MODEL.exec(read(request))?.[1];
    if (model === undefined) continue;
    if (found !== undefined && found.model !== model) {
      const message = `${path} names the model ${model}, but ${found.path} names ${found.model}: a call is about one model`;
      throw fault.invalid("TWO_MODELS", message, [{ field: path, description: message }]);
    }
    found ??= { model, path };
  }
  if (found !== undefined) return found.model;
  const fields = rule.modelFields.map(({ path }) => path);
  const message = `${method.input.name} names no model: set ${fields.join(" or ")} to models/{model}…`;
  throw fault.invalid("MODEL_MISSING", message, [{ field: fields[0] ?? "", description: message }]);
}

/** A4. In whose name a conductor acts, the request says in `conductor` or `name`. */
function asItself(name: string, method: DescMethod, request: Message): void {
  const { conductor, name: resource } = request as { readonly conductor?: unknown; readonly name?: unknown };
  for (const named of [conductor, resource]) {
    if (typeof named !== "string" || !named.startsWith("conductors/") || named === `conductors/${name}`)
      continue;
    throw fault.denied(
      "conductor",
      `${methodName(method)}: this token is conductors/${name}'s and cannot act as ${named}: use that conductor's own`,
      { metadata: { subject: name, conductor: named } },
    );
  }
}

/** A3 */
function missingRole(
  subject: string,
  method: DescMethod,
  model: string,
  needed: PersonRole,
  held: PersonRole | undefined,
): Fault {
  const has = held === undefined ? "no role there, if the model exists" : `only ${held}`;
  return fault.denied(
    needed,
    `${method.name} needs the role ${needed} in models/${model}, and ${subject} has ${has}: an admin of models/${model} can grant it`,
    { metadata: { subject, model: `models/${model}`, heldRole: held ?? "none" } },
  );
}

function refusedPerson(subject: string, method: DescMethod, rule: MethodRule): Fault {
  const needed = serviceRoles(rule);
  return fault.denied(
    needed,
    `${methodName(method)} is for parts of Greco (${needed}), not for people: ${subject} cannot be granted it`,
    { metadata: { subject } },
  );
}

function refusedService(
  service: NonNullable<Caller["service"]>,
  method: DescMethod,
  rule: MethodRule,
): Fault {
  const needed = rule.person ?? (rule.authenticated ? "a person's token" : serviceRoles(rule));
  return fault.denied(
    needed,
    `${methodName(method)} needs ${needed}; this token is that of the ${service.kind} ${service.name}: whoever deploys it decides which token it has`,
    { metadata: { subject: service.name, service: service.kind } },
  );
}

function serviceRoles(rule: MethodRule): string {
  return (["conductor", "control", "runtime"] as const).filter((kind) => rule[kind]).join(" or ");
}
