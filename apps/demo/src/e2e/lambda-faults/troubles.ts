/** What goes wrong at one call, and how the proposal may end then. */
import { activations, errorCodes, type What, type When } from "../../../../../tools/lambda-faults/fault.ts";
import type { Step } from "./steps.ts";

export type Trouble = { readonly name: string; readonly ends: "committed" | "aborted" | "either" } & (
  | { readonly type: "fault"; readonly what: What; readonly always?: true }
  /**
   * kill -9. `unsent`: before the call is forwarded, which it never is; `late`: it is forwarded when the next process
   * has started; `after`: it has had its effect, and nobody is told.
   */
  | { readonly type: "kill"; readonly when: "unsent" | "late" | "after" }
  /** Somebody else makes a function of that name, before the call is forwarded or behind it. */
  | { readonly type: "taken"; readonly when: When; readonly tags: Readonly<Record<string, string>> }
);

const SLOW_READS = 3;
/** In the order of the table. */
const STATUSES = [409, 412, 429, 500, 503] as const;
const OTHERS = { "greco:prefix": "theirs", team: "somebody else" };

/** Where a RevisionId is sent: whose 412 for ever means that somebody else edits it. */
const GUARDED = ["UpdateFunctionCode", "UpdateFunctionConfiguration", "PublishVersion"];

const passes = { ends: "committed", type: "fault" } as const;

/** Of a write both; to who reads, a lost answer and a call that was lost are the same. */
const whensOf = ({ writes }: Step): readonly When[] => (writes ? ["before", "after"] : ["before"]);

function answersOf(step: Step): readonly Trouble[] {
  const errors = whensOf(step).flatMap((when) =>
    STATUSES
      // Both mean the same: the one before the effect, the other behind it.
      .filter((status) => status !== (when === "before" ? 503 : 500))
      .map((status): Trouble => {
        const what = { type: "error", status, code: errorCodes[status], when } as const;
        // AWS says neither to who reads, so a conductor may give up there.
        const ends = !step.writes && (status === 409 || status === 412) ? "either" : "committed";
        return { ...passes, ends, name: `${status} ${when}`, what };
      }),
  );
  const lost = whensOf(step).map((when): Trouble => ({
    ...passes,
    name: `lost ${when}`,
    what: { type: "lost", when },
  }));
  return [...errors, ...lost];
}

function activationsOf({ operation }: Step): readonly Trouble[] {
  if (!activations.includes(operation)) return [];
  return [
    { ...passes, name: "slow", what: { type: "slow", forms: SLOW_READS } },
    { type: "fault", name: "Failed", ends: "aborted", what: { type: "failed", reason: "It is broken." } },
  ];
}

function editsOf({ operation }: Step): readonly Trouble[] {
  if (!GUARDED.includes(operation)) return [];
  const what = { type: "error", status: 412, code: errorCodes[412], when: "before" } as const;
  return [{ type: "fault", name: "412 always", ends: "aborted", what, always: true }];
}

function killsOf({ writes }: Step): readonly Trouble[] {
  // To read once more changes nothing: a death behind a read is one before the next call.
  const whens: readonly ("unsent" | "late" | "after")[] = writes ? ["unsent", "late", "after"] : ["unsent"];
  return whens.map((when) => ({ type: "kill", name: `kill ${when}`, ends: "committed", when }));
}

/** `GetFunction`: before the review. `GetFunction, 2`: between review and create. */
function takersOf({ name }: Step): readonly Trouble[] {
  const whens: readonly When[] =
    name === "GetFunction" ? ["before", "after"] : name === "GetFunction, 2" ? ["after"] : [];
  return whens.flatMap((when): readonly Trouble[] => [
    { type: "taken", name: `taken ${when}, no tags`, ends: "aborted", when, tags: {} },
    { type: "taken", name: `taken ${when}, others' tags`, ends: "aborted", when, tags: OTHERS },
  ]);
}

/** Everything that may go wrong at a call; of a create also that its name is taken meanwhile. */
export function troublesAt(step: Step, creates: boolean): readonly Trouble[] {
  return [
    ...answersOf(step),
    ...activationsOf(step),
    ...editsOf(step),
    ...killsOf(step),
    ...(creates ? takersOf(step) : []),
  ];
}
