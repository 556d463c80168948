/** What the API calls things, as people say it. */

/** `models/m/entities/query/x` → `query/x`; `models/m/drafts/d` → `d`. */
export function shortName(resource: string): string {
  return resource
    .replace(
      /^models\/[^/]+\/(entities|drafts|proposals|kinds|versions|streams|roleBindings|auditRecords)\//,
      "",
    )
    .replace(/^(models|conductors)\//, "");
}

/** `query/compensation@3` → `compensation`. */
export const nameOfIdentity = (identity: string): string =>
  identity.replace(/^[^/]*\//, "").replace(/@\d+$/, "");

/** With what it is, where things of many sorts stand together: `draft late`, `version 3`, `model shop`. */
export function thingOf(resource: string): string {
  const [, collection, id] =
    /^(?:models\/[^/]+\/)?(drafts|proposals|kinds|versions|streams|roleBindings|conductors|models)\/([^/]+)$/.exec(
      resource,
    ) ?? [];
  if (collection === undefined || id === undefined) return shortName(resource);
  return `${collection === "roleBindings" ? "role of" : collection.slice(0, -1)} ${id}`;
}
