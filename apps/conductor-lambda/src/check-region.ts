/** What AWS says now about what is wanted: roles, the account, and whose the function is. Read-only. */
import type { Affected, Finding } from "@greco/conductor-kit";
import { specOf } from "@greco/query-kit";
import { ownerOf } from "./function-name.ts";
import { AWS_LIMITS } from "./limits.ts";
import type { Workshop } from "./make-function.ts";
import { persist } from "./persist.ts";
import { RegionError, type AccountFacts } from "./region.ts";
import type { RegionFacts } from "./region-facts.ts";
import { sideBySide } from "./turns.ts";
import type { WantedFunction } from "./wanted.ts";

export type Looked = {
  readonly each: Affected;
  readonly wanted: WantedFunction;
  /** It is on AWS already. */
  readonly exists: boolean;
};

/** What is to be looked at; its zip takes some ten milliseconds. */
export type Making = {
  readonly each: Affected;
  readonly make: (signal: AbortSignal) => Promise<WantedFunction>;
};

export type RegionReview = {
  readonly findings: readonly Finding[];
  readonly looked: readonly Looked[];
  /** What could not be checked, in words. */
  readonly unchecked: readonly string[];
};

export async function checkRegion(
  workshop: Workshop,
  facts: RegionFacts,
  all: readonly Making[],
  signal: AbortSignal,
): Promise<RegionReview> {
  const findings: Finding[] = [];
  const { functionsAtOnce } = workshop.limits;
  const looked = await sideBySide(
    all,
    functionsAtOnce,
    async ({ each, make }, over): Promise<Looked> => {
      const wanted = await make(over);
      const say = sayOf(each, findings);
      const exists = await denials(say, false, () => checkName(workshop, wanted, say, over));
      await denials(say, undefined, () => checkRole(facts, wanted, say, over));
      return { each, wanted, exists };
    },
    signal,
  );
  const unchecked: string[] = [];
  const first = all[0];
  if (first !== undefined) {
    const say = sayOf(first.each, findings);
    const account = await denials(say, undefined, () => facts.account(signal));
    if (account === undefined) unchecked.push("code storage and concurrency of the account");
    else checkAccount(account, looked, findings);
  }
  return { findings, looked, unchecked };
}

type Say = (fieldPath: string, reason: string, message: string, remedy: string) => void;

const sayOf =
  ({ key: entity }: Affected, findings: Finding[]): Say =>
  (fieldPath, reason, message, remedy) => {
    findings.push({ severity: "error", entity, fieldPath, reason, message, remedy });
  };

/** What the conductor may not look at, it cannot vote for. */
async function denials<T, O>(say: Say, otherwise: O, look: () => Promise<T>): Promise<T | O> {
  try {
    return await look();
  } catch (error) {
    if (!(error instanceof RegionError) || (error.kind !== "denied" && error.kind !== "refused")) throw error;
    say(
      "",
      error.kind === "denied" ? "ACCESS_DENIED" : "REFUSED_BY_AWS",
      `AWS does not let the conductor look: ${error.message}`,
      "give it what deploy/aws/policy.json lists; greco doctor aws tells what it lacks",
    );
    return otherwise;
  }
}

/** Whether it is there. */
async function checkName(
  workshop: Workshop,
  { name, owner }: WantedFunction,
  say: Say,
  signal: AbortSignal,
): Promise<boolean> {
  const seen = await persist(workshop, () => workshop.region.getFunction(name, undefined, signal), signal);
  if (seen === undefined) return false;
  if (ownerOf(name, seen.tags, owner)?.entity !== owner.entity)
    say(
      "",
      "FOREIGN_FUNCTION",
      `a function ${name} is there, and its tags do not say that it is this query's`,
      "delete that function, or give this conductor a function-prefix of its own",
    );
  return true;
}

async function checkRole(
  facts: RegionFacts,
  { config: { role } }: WantedFunction,
  say: Say,
  signal: AbortSignal,
): Promise<void> {
  const seen = await facts.role(role, signal);
  if (seen === undefined || seen.arn !== role)
    say("lambda.role", "ROLE_UNKNOWN", `there is no role ${role}`, "make it, or name one that is there");
  else if (!trustsLambda(seen.trustPolicy))
    say(
      "lambda.role",
      "ROLE_NOT_FOR_LAMBDA",
      `the trust policy of ${role} does not let lambda.amazonaws.com assume it`,
      "add it to the role's trust policy: Service lambda.amazonaws.com, Action sts:AssumeRole",
    );
}

const many = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : [value]);

export function trustsLambda(trustPolicy: string): boolean {
  let policy: { readonly Statement?: unknown };
  try {
    policy = JSON.parse(trustPolicy) as typeof policy;
  } catch {
    return false;
  }
  return many(policy.Statement).some((each) => {
    const { Effect, Action, Principal } = (each ?? {}) as Readonly<Record<string, unknown>>;
    const services = many((Principal as { readonly Service?: unknown } | undefined)?.Service);
    return (
      Effect === "Allow" &&
      many(Action).some((action) => action === "sts:AssumeRole" || action === "sts:*" || action === "*") &&
      services.includes("lambda.amazonaws.com")
    );
  });
}

/** Of all of them together: the account has room for each alone, and perhaps not for all. */
function checkAccount(account: AccountFacts, looked: readonly Looked[], findings: Finding[]): void {
  const { unreservedLeast } = AWS_LIMITS;
  let codeBytes = 0;
  let concurrency = 0;
  for (const { each, wanted, exists } of looked) {
    const say = sayOf(each, findings);
    // A new version keeps a zip of its own, and so does the $LATEST of a new function.
    codeBytes += wanted.zippedBytes * (exists ? 1 : 2);
    if (account.codeBytes + codeBytes > account.codeBytesMax) {
      say(
        "",
        "CODE_STORAGE_FULL",
        `the account keeps ${account.codeBytes} of ${account.codeBytesMax} bytes of code, and ${codeBytes} are to come`,
        "delete versions that nobody needs, or have the account's code storage raised",
      );
      return;
    }
    const more = takenBy(each, wanted);
    concurrency += more;
    if (more <= 0 || concurrency <= account.unreserved - unreservedLeast) continue;
    const field = wanted.reserved === undefined ? "provisionedConcurrency" : "reservedConcurrency";
    say(
      `lambda.${field}`,
      "CONCURRENCY_EXHAUSTED",
      `${concurrency} more calls at once are to be set aside, and the account has ${account.unreserved} left, of which ${unreservedLeast} must stay`,
      "reserve less, or have the account's concurrency raised",
    );
    return;
  }
}

/** What goes out of the account's pool beyond what the query takes out already. */
function takenBy({ before }: Affected, wanted: WantedFunction): number {
  const { lambda } = before === undefined ? {} : specOf(before.spec);
  const had = lambda?.reservedConcurrency ?? lambda?.provisionedConcurrency ?? 0;
  return (wanted.reserved ?? wanted.provisioned ?? 0) - had;
}
