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
