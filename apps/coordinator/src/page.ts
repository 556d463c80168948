/** Pages of a list by key. A token is bound to its list: a foreign or a changed one is refused (I15). */
import { createHash } from "node:crypto";
import { fault } from "@greco/service-kit";
import type { CoordinatorLimits } from "./limits.ts";

type Asked = { readonly pageSize: number; readonly pageToken: string };

export function pageOf(
  { pageSize, pageToken }: Asked,
  prefix: string,
  limits: Pick<CoordinatorLimits, "pageSizeDefault" | "pageSizeMax">,
): { readonly size: number; readonly after: string | undefined } {
  const size = pageSize === 0 ? limits.pageSizeDefault : Math.min(pageSize, limits.pageSizeMax);
  if (pageToken === "") return { size, after: undefined };
  const text = Buffer.from(pageToken, "base64url").toString("utf8");
  const [bound, key = ""] = [text.slice(0, BOUND), text.slice(BOUND)];
  if (bound === boundTo(prefix) && key.startsWith(prefix)) return { size, after: key };
  const description = "is not one that this list has given: start without one";
  throw fault.invalid("PAGE_TOKEN_INVALID", `page_token ${description}`, [
    { field: "page_token", description },
  ]);
}

export function tokenOf(prefix: string, after: string): string {
  return Buffer.from(`${boundTo(prefix)}${after}`, "utf8").toString("base64url");
}

const BOUND = 16;

function boundTo(prefix: string): string {
  return createHash("sha256").update(prefix).digest("hex").slice(0, BOUND);
}
