/**
 * Who may call what, from the options in the contract: the table of the one interceptor (I14).
 *
 * A1. A method without a role does not start: `roleTable` throws, and a spec walks every service, so that it does
 *     not build either.
 * A2. A method that needs a person's role says in which model: its request names the model in a field that is known
 *     here. One whose request does not is refused in the same way.
 */
import {
  getOption,
  ScalarType,
  type DescField,
  type DescMessage,
  type DescMethod,
  type DescService,
  type Message,
} from "@bufbuild/protobuf";
import { also as alsoOption, role as roleOption, Role } from "@greco/contracts/greco/options/v1/authority";
import { methodName } from "../handlers.ts";

/** Roles of people in a model; each includes those before it. */
export const PERSON_ROLES = ["viewer", "editor", "releaser", "admin"] as const;
export type PersonRole = (typeof PERSON_ROLES)[number];

export type MethodRule = {
  /** No token is needed. */
  readonly anyone: boolean;
  /** Any person, conductor or part of the control plane. */
  readonly authenticated: boolean;
  /** The least role of a person; undefined: no person, unless `authenticated`. */
  readonly person: PersonRole | undefined;
  readonly conductor: boolean;
  readonly control: boolean;
  readonly runtime: boolean;
  /** Where the request names models. */
  readonly modelFields: readonly ModelField[];
};

export type ModelField = {
  /** `view.draft`, for people. */
  readonly path: string;
  /** The field's text; empty when it is not set. */
  readonly read: (request: Message) => string;
};

const personRoles: Partial<Record<Role, PersonRole>> = {
  [Role.VIEWER]: "viewer",
  [Role.EDITOR]: "editor",
  [Role.RELEASER]: "releaser",
  [Role.ADMIN]: "admin",
};

/** The rules of all methods; throws, naming each method that has none (A1, A2). */
export function roleTable(services: readonly DescService[]): ReadonlyMap<DescMethod, MethodRule> {
  const table = new Map<DescMethod, MethodRule>();
  const wrong: string[] = [];
  for (const method of services.flatMap((service) => service.methods)) {
    const rule = ruleOf(method);
    if (typeof rule === "string") wrong.push(rule);
    else table.set(method, rule);
  }
  if (wrong.length > 0) throw new Error(wrong.join("; "));
  return table;
}

function ruleOf(method: DescMethod): MethodRule | string {
  const least = getOption(method, roleOption);
  if (least === Role.UNSPECIFIED)
    return `${methodName(method)} has no role: give it (greco.options.v1.role) in its proto`;
  const roles = [least, ...getOption(method, alsoOption)];
  const people = roles.flatMap((each) => personRoles[each] ?? []);
  // The lowest of several lets the most people through, which is what the options say together.
  const person = PERSON_ROLES.find((each) => people.includes(each));
  const modelFields = modelFieldsOf(method.input);
  if (person !== undefined && modelFields.length === 0)
    return `${methodName(method)} needs the role ${person}, but ${method.input.typeName} names no model in ${[...nameFields].join(", ")}`;
  return {
    anyone: roles.includes(Role.ANYONE),
    authenticated: roles.includes(Role.AUTHENTICATED),
    person,
    conductor: roles.includes(Role.CONDUCTOR),
    control: roles.includes(Role.CONTROL),
    runtime: roles.includes(Role.RUNTIME),
    modelFields,
  };
}

/** Fields that hold the name of a resource of a model, by AIP-122 and our own words. */
const nameFields = new Set(["name", "parent", "model", "draft"]);

/** Such fields of the request itself, and of the messages in it; lists are their handler's business. */
function modelFieldsOf(input: DescMessage): ModelField[] {
  return input.fields.flatMap((field) =>
    field.fieldKind === "message" && field.oneof === undefined
      ? field.message.fields.filter(isName).map((inner) => modelField([field, inner]))
      : isName(field)
        ? [modelField([field])]
        : [],
  );
}

function isName(field: DescField): boolean {
  return field.fieldKind === "scalar" && field.scalar === ScalarType.STRING && nameFields.has(field.name);
}

function modelField(fields: readonly DescField[]): ModelField {
  return {
    path: fields.map((field) => field.name).join("."),
    read(request) {
      let value: unknown = request;
      for (const field of fields)
        value = value === undefined ? undefined : valueOf(value as Properties, field);
      return typeof value === "string" ? value : "";
    },
  };
}

type Properties = Readonly<Record<string, unknown>>;

function valueOf(message: Properties, field: DescField): unknown {
  if (field.oneof === undefined) return message[field.localName];
  const chosen = message[field.oneof.localName] as
    { readonly case?: string; readonly value?: unknown } | undefined;
  return chosen?.case === field.localName ? chosen.value : undefined;
}
