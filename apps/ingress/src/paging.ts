/** Pages of a list that is sorted by a key: the token is the last key, so it survives whatever comes and goes. */
import { fault } from "@greco/service-kit";

const PAGE_DEFAULT = 100;

export type Page<T> = { readonly items: readonly T[]; readonly nextPageToken: string };

/** `all` is sorted by `keyOf`, ascending. */
export function pageOf<T>(
  all: readonly T[],
  keyOf: (item: T) => string,
  request: { readonly pageSize: number; readonly pageToken: string },
): Page<T> {
  const after = request.pageToken === "" ? undefined : keyIn(request.pageToken);
  const rest = after === undefined ? all : all.filter((item) => keyOf(item) > after);
  const items = rest.slice(0, request.pageSize === 0 ? PAGE_DEFAULT : request.pageSize);
  const last = items.at(-1);
  const more = last !== undefined && items.length < rest.length;
  return { items, nextPageToken: more ? Buffer.from(`k${keyOf(last)}`).toString("base64url") : "" };
}

function keyIn(token: string): string {
  const text = Buffer.from(token, "base64url").toString("utf8");
  if (text.startsWith("k") && Buffer.from(text).toString("base64url") === token) return text.slice(1);
  const description = "is not one that this method has given: leave it empty to begin anew";
  throw fault.invalid("INVALID_PAGE_TOKEN", `page_token ${description}`, [
    { field: "page_token", description },
  ]);
}

/** A number as a key that sorts as it does. */
export const numberKey = (value: number): string => String(value).padStart(16, "0");
