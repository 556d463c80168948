// What slow and failed activations show. The target's are over in half a second and always succeed; here the proxy keeps,
// for each thing that a write has started, how many reads still show it under way, and whether it has failed.
import { withBody } from "./answers.ts";
import type { Answer, Call } from "./call.ts";

/** Which fields tell of it: a new function's and version's State, an update's, provisioned concurrency's Status. */
type Aspect = "state" | "update" | "provisioned";

type Shown = { readonly aspect: Aspect; forms: number; failed: string | undefined };

export type Activations = {
  /** A write has had its effect, and answered; `slow` and `failed` are what it met. Gives what its caller is told. */
  started(call: Call, answer: Answer, faults: { slow?: number; failed?: string }): Answer;
  /** A read's answer, with what it shows. Counts the read. */
  read(call: Call, answer: Answer): Answer;
  /** Whether a write or an Invoke would find it under way; counts nothing. */
  isUnderWay(functionName: string, qualifier: string | undefined): boolean;
  clear(): void;
};

const LATEST = "$LATEST";

function fieldsOf({ aspect, failed }: Shown): object {
  if (aspect === "provisioned")
    return failed === undefined
      ? {
          Status: "IN_PROGRESS",
          AllocatedProvisionedConcurrentExecutions: 0,
          AvailableProvisionedConcurrentExecutions: 0,
        }
      : {
          Status: "FAILED",
          StatusReason: failed,
          AllocatedProvisionedConcurrentExecutions: 0,
          AvailableProvisionedConcurrentExecutions: 0,
        };
  if (aspect === "update")
    return failed === undefined
      ? { State: "Active", LastUpdateStatus: "InProgress", ...settled }
      : {
          State: "Active",
          ...settled,
          LastUpdateStatus: "Failed",
          LastUpdateStatusReason: failed,
          LastUpdateStatusReasonCode: "InternalError",
        };
  return failed === undefined
    ? { State: "Pending", StateReason: "The function is being created.", StateReasonCode: "Creating" }
    : { State: "Failed", StateReason: failed, StateReasonCode: "InternalError" };
}
const settled = { StateReason: "", StateReasonCode: "" };

const aspects: Readonly<Partial<Record<Call["operation"], Aspect>>> = {
  CreateFunction: "state",
  PublishVersion: "state",
  UpdateFunctionCode: "update",
  UpdateFunctionConfiguration: "update",
  PutProvisionedConcurrencyConfig: "provisioned",
};

/** A configuration is the whole answer, but for GetFunction's, which has it beside its code and tags. */
function showing(answer: Answer, call: Call, fields: object): Answer {
  return withBody(answer, (body) =>
    call.operation === "GetFunction"
      ? { ...body, Configuration: { ...(body["Configuration"] as object), ...fields } }
      : { ...body, ...fields },
  );
}

export function createActivations(): Activations {
  const shown = new Map<string, Shown>();
  const keyOf = (aspect: Aspect, functionName: string, qualifier: string | undefined): string =>
    `${aspect === "provisioned" ? "provisioned" : "function"}/${functionName}/${qualifier ?? LATEST}`;

  const forget = ({ functionName, qualifier, operation }: Call): void => {
    if (operation === "DeleteProvisionedConcurrencyConfig")
      shown.delete(keyOf("provisioned", functionName, qualifier));
    if (operation !== "DeleteFunction") return;
    for (const key of shown.keys()) {
      const [, name, which] = key.split("/");
      if (name === functionName && (qualifier === undefined || which === qualifier)) shown.delete(key);
    }
  };

  return {
    started(call, answer, { slow = 0, failed }) {
      forget(call);
      const aspect = aspects[call.operation];
      if (aspect === undefined || answer.status >= 300) return answer;
      const version = (JSON.parse(answer.body.toString("utf8")) as { Version?: string }).Version;
      const qualifier = aspect === "provisioned" ? call.qualifier : version;
      const key = keyOf(aspect, call.functionName, qualifier);
      // What it replaces is over. A publish may answer with a version that was there: what that one shows stays.
      if (call.operation !== "PublishVersion") shown.delete(key);
      if (slow === 0 && failed === undefined) {
        const before = shown.get(key);
        return before === undefined ? answer : showing(answer, call, fieldsOf(before));
      }
      shown.set(key, { aspect, forms: slow, failed });
      // AWS tells of a failure only afterwards.
      return showing(answer, call, fieldsOf({ aspect, forms: slow, failed: undefined }));
    },
    read(call, answer) {
      if (answer.status >= 300) return answer;
      const provisioned = call.operation === "GetProvisionedConcurrencyConfig";
      if (!provisioned && call.operation !== "GetFunction" && call.operation !== "GetFunctionConfiguration")
        return answer;
      const key = keyOf(provisioned ? "provisioned" : "state", call.functionName, call.qualifier);
      const found = shown.get(key);
      if (found === undefined) return answer;
      if (found.forms > 0) {
        found.forms -= 1;
        const fields = fieldsOf({ ...found, failed: undefined });
        if (found.forms === 0 && found.failed === undefined) shown.delete(key);
        return showing(answer, call, fields);
      }
      return showing(answer, call, fieldsOf(found));
    },
    isUnderWay: (functionName, qualifier) =>
      (shown.get(keyOf("state", functionName, qualifier))?.forms ?? 0) > 0,
    clear: () => shown.clear(),
  };
}
