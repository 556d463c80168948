/** `greco doctor aws`: what conductors say of their own credentials and permissions. */
import type { InspectedBy, InspectResponse } from "@greco/contracts/greco/commit/v1/commit";
import type { Diagnosis } from "./diagnosis.ts";
import { shortName } from "./short-name.ts";

export async function* diagnoseAccess(
  responses: AsyncIterable<InspectResponse>,
): AsyncGenerator<Diagnosis, void, undefined> {
  let looked = false;
  for await (const { part } of responses) {
    if (part.case === "conductor") {
      looked ||= part.value.inspected?.supported === true;
      yield* accessOf(part.value);
    }
    if (part.case !== "summary") continue;
    const { silent } = part.value;
    for (const each of silent) {
      const detail = "no answer in time; greco conductor list tells when it was last heard";
      yield { what: shortName(each), state: "bad", detail };
    }
    if (looked || silent.length > 0) continue;
    const detail =
      "no conductor of this model works on it: start conductor-lambda; greco conductor list shows it once it has joined";
    yield { what: "aws", state: "bad", detail };
  }
}

function* accessOf({ conductor, inspected }: InspectedBy): Generator<Diagnosis> {
  if (inspected?.supported !== true) return;
  const what = shortName(conductor);
  const { failure, drifts, driftCount } = inspected;
  if (failure !== "") yield { what, state: "bad", detail: `could not look: ${failure}` };
  for (const { object, message, remedy, reason } of drifts)
    yield { what, state: "bad", detail: `${object}: ${message} [${reason}]; ${remedy}` };
  const rest = driftCount - BigInt(drifts.length);
  if (rest > 0n) yield { what, state: "bad", detail: `and ${rest} more: settle these, and look again` };
  if (failure === "" && driftCount === 0n)
    yield { what, state: "ok", detail: "its credentials and permissions are enough" };
}
