/**
 * What to do next about one function: pure, from what is wanted and what has been seen of it. The loop (make-function.ts)
 * does that one thing, and looks again; so a repeat after a crash, a lost answer or somebody's interference needs no
 * code of its own.
 *
 * S1. Nothing is written before the tags were seen to be ours, but a create, which cannot touch what is there.
 * S2. A version with this content is taken, and never a second one published.
 * S3. Concurrency is only raised: lanes go on with what is in force up to the marker. It is set at will where nobody
 *     runs the function yet.
 */
import { contentHashOf, sameSettings, type FunctionConfig } from "./function-config.ts";
import { tagsMatch, type Owner } from "./function-name.ts";
import type { FunctionFacts, ProvisionedFacts, VersionFacts } from "./region.ts";

/** The part of a WantedFunction that decides. */
export type Wanted = {
  readonly owner: Owner;
  readonly config: FunctionConfig;
  readonly codeSha256: string;
  readonly contentHash: string;
  readonly reserved: number | undefined;
  readonly provisioned: number | undefined;
  readonly concurrency: ConcurrencyRule;
};

/**
 * `set`: the query is new, so no epoch names the function. `raise`: S3. `leave`: a content that was in force is made again, and
 * what is reserved or kept warm is for the newest epoch to say.
 */
export type ConcurrencyRule = "set" | "raise" | "leave";

/** Each part: what was seen last, or that it has to be looked at (again). */
export type Seen = {
  readonly latest: "unknown" | "absent" | FunctionFacts;
  readonly versions: "unknown" | readonly VersionFacts[];
  /** The version with the content that is wanted, itself. */
  readonly version: "unknown" | FunctionFacts;
  readonly provisioned: "unknown" | "none" | ProvisionedFacts;
  /** What this run has done; what failed before it is tried again once. */
  readonly created: boolean;
  readonly updated: boolean;
  readonly provided: boolean;
};

export const nothingSeen: Seen = {
  latest: "unknown",
  versions: "unknown",
  version: "unknown",
  provisioned: "unknown",
  created: false,
  updated: false,
  provided: false,
};

export type Step =
  | { readonly do: "look" }
  | { readonly do: "listVersions" }
  | { readonly do: "lookAtVersion"; readonly version: string }
  | { readonly do: "lookAtProvisioned"; readonly version: string }
  | {
      readonly do: "wait";
      readonly why: string;
      readonly then: "look" | "lookAtVersion" | "lookAtProvisioned";
    }
  | { readonly do: "create" }
  | { readonly do: "updateConfiguration"; readonly revisionId: string }
  | { readonly do: "updateCode"; readonly revisionId: string }
  | { readonly do: "publish"; readonly revisionId: string }
  | { readonly do: "raiseReserved"; readonly to: number | undefined }
  | { readonly do: "provision"; readonly version: string; readonly count: number }
  | { readonly do: "fail"; readonly reason: string; readonly message: string }
  | { readonly do: "done"; readonly version: string; readonly arn: string };

export function nextStep(wanted: Wanted, seen: Seen): Step {
  const { latest } = seen;
  if (latest === "unknown") return { do: "look" };
  if (latest === "absent")
    return seen.created
      ? { do: "wait", why: "it was made, and is not to be seen yet", then: "look" }
      : { do: "create" };
  if (!tagsMatch(wanted.owner, latest.tags)) return foreign(latest);
  if (seen.versions === "unknown") return { do: "listVersions" };
  const match = seen.versions.findLast(
    (each) => contentHashOf(each.codeSha256, each.config) === wanted.contentHash,
  );
  return match === undefined
    ? towardsVersion(wanted, seen, latest)
    : withVersion(wanted, { ...seen, latest, versions: seen.versions }, match);
}

const foreign = ({ arn, tags }: FunctionFacts): Step => {
  const said = Object.entries(tags).map(([key, value]) => `${key}=${value}`);
  const message = `${arn} is not ours: its tags are ${said.length === 0 ? "none" : said.join(", ")}`;
  return { do: "fail", reason: "FOREIGN_FUNCTION", message };
};

/** No version has the content: $LATEST gets it, and is published. */
function towardsVersion(wanted: Wanted, seen: Seen, latest: FunctionFacts): Step {
  if (latest.state === "Failed")
    return { do: "fail", reason: "FUNCTION_FAILED", message: `AWS could not make it: ${latest.reason}` };
  if (latest.state === "Pending")
    return { do: "wait", why: `it is being made: ${latest.reason}`, then: "look" };
  if (latest.lastUpdate === "InProgress")
    return { do: "wait", why: `an update is under way: ${latest.lastUpdateReason}`, then: "look" };
  const failed = latest.lastUpdate === "Failed";
  if (failed && seen.updated)
    return {
      do: "fail",
      reason: "FUNCTION_FAILED",
      message: `AWS could not update it: ${latest.lastUpdateReason}`,
    };
  const { revisionId } = latest;
  // What failed before this run is done again, once.
  if (failed || !sameSettings(latest.config, wanted.config)) return { do: "updateConfiguration", revisionId };
  if (latest.codeSha256 !== wanted.codeSha256 || latest.config.architecture !== wanted.config.architecture)
    return { do: "updateCode", revisionId };
  return { do: "publish", revisionId };
}

type Listed = Seen & { readonly latest: FunctionFacts; readonly versions: readonly VersionFacts[] };

/** S2. */
function withVersion(wanted: Wanted, seen: Listed, match: VersionFacts): Step {
  const { version, arn } = match;
  if (seen.version === "unknown") return { do: "lookAtVersion", version };
  const { state, reason } = seen.version;
  if (state === "Failed")
    return {
      do: "fail",
      reason: "FUNCTION_FAILED",
      message: `AWS could not activate version ${version}: ${reason}`,
    };
  if (state === "Pending")
    return { do: "wait", why: `version ${version} is being activated: ${reason}`, then: "lookAtVersion" };
  if (wanted.concurrency === "leave") return { do: "done", version, arn };
  const free = wanted.concurrency === "set" && seen.versions.every((each) => each.version === version);
  if (isToBeSet(wanted.reserved, seen.latest.reserved, free))
    return { do: "raiseReserved", to: wanted.reserved };
  if (wanted.provisioned === undefined) return { do: "done", version, arn };
  return withProvisioned(wanted.provisioned, seen, match);
}

/** S3. Undefined: the account's pool, which is more than any number. */
function isToBeSet(wanted: number | undefined, seen: number | undefined, free: boolean): boolean {
  if (wanted === seen) return false;
  return free || (wanted ?? Number.POSITIVE_INFINITY) > (seen ?? Number.POSITIVE_INFINITY);
}

function withProvisioned(wanted: number, { provided, provisioned: seen }: Seen, match: VersionFacts): Step {
  const { version, arn } = match;
  if (seen === "unknown") return { do: "lookAtProvisioned", version };
  if (seen === "none" || seen.requested < wanted) return { do: "provision", version, count: wanted };
  switch (seen.status) {
    case "READY":
      return { do: "done", version, arn };
    case "IN_PROGRESS":
      return {
        do: "wait",
        why: `environments of version ${version} are being started`,
        then: "lookAtProvisioned",
      };
    case "FAILED":
      // What failed before this run is asked for again, once.
      if (!provided) return { do: "provision", version, count: wanted };
      return {
        do: "fail",
        reason: "PROVISIONING_FAILED",
        message: `AWS could not keep ${wanted} environments of version ${version} warm: ${seen.reason}`,
      };
  }
}
