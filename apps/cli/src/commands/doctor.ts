/**
 * `greco doctor`: looks at every connection, the conductors and the lanes, and says what to do; `greco doctor aws`: has
 * conductors try their own credentials and permissions.
 */
import { Argument, type Command } from "commander";
import { InspectRequest_Subject as Subject } from "@greco/contracts/greco/commit/v1/commit";
import { Conductor_State } from "@greco/contracts/greco/conductor/v1/conductor";
import { diagnoseAccess } from "../access.ts";
import { describeError, EXIT } from "../cli-error.ts";
import { kindsWithoutConductor, listConductors } from "../conductors.ts";
import { findAddresses } from "../connection.ts";
import type { Context, Runner } from "../context.ts";
import type { Diagnosis } from "../diagnosis.ts";
import { PAGE_SIZE, pages } from "../names.ts";
import type { Paint } from "../output.ts";
import { heldLines } from "../reader-view.ts";
import { shortName } from "../short-name.ts";
import { oneLine } from "../text.ts";

const SIGN: Readonly<Record<Diagnosis["state"], readonly [sign: string, paint: Paint]>> = {
  ok: ["✓", "green"],
  bad: ["✗", "red"],
  note: ["!", "yellow"],
};

/** A service that has not answered by then is not well. */
const ANSWER_MS = 5_000;
/** Farther apart than clocks that are kept in step. */
const CLOCK_APART_MS = 5_000;

export function addDoctorCommand(program: Command, { run }: Runner): void {
  program
    .command("doctor")
    .addArgument(
      new Argument("[what]", "aws: the credentials and permissions of the model's conductors").choices([
        "aws",
      ]),
    )
    .description("looks at connections, conductors, clocks and lanes, and says what to do")
    .action(
      run<[string | undefined], unknown>(async (context, _options, what) => {
        const items = context.output.items();
        let bad = false;
        try {
          for await (const each of what === undefined ? diagnose(context) : access(context)) {
            bad ||= each.state === "bad";
            const [sign, paint] = SIGN[each.state];
            items.item(
              each,
              () => `${context.output.paint(paint, sign)} ${each.what}: ${oneLine(each.detail)}\n`,
            );
          }
        } finally {
          items.end();
        }
        if (bad) context.exit(EXIT.failed);
      }),
    );
}

async function attempt(
  context: Context,
  what: string,
  call: () => Promise<string>,
): Promise<Diagnosis & { readonly state: "ok" | "bad" }> {
  try {
    return { what, state: "ok", detail: await call() };
  } catch (error) {
    context.signal.throwIfAborted();
    return {
      what,
      state: "bad",
      detail: describeError(error)
        .join("; ")
        .replace(/^error: /, ""),
    };
  }
}

async function* diagnose(context: Context): AsyncGenerator<Diagnosis> {
  yield { what: "node", state: "ok", detail: process.version };
  const { addresses } = await findAddresses(context.flags);
  const { registry, conductors, ingress } = await context.clients();
  const { model } = context;
  const options = { signal: context.signal, timeoutMs: ANSWER_MS };
  const registryIs = await attempt(context, "registry", async () => {
    const { models } = await registry.listModels({ pageSize: PAGE_SIZE }, options);
    const names = models.map((each) => shortName(each.name)).join(", ");
    return `answers at ${addresses.registry}; ${models.length === 0 ? "no models yet: greco model create NAME" : `models: ${names}`}`;
  });
  yield registryIs;
  const coordinatorIs = await attempt(context, "coordinator", async () => {
    await conductors.listConductors({ model: model ?? "", pageSize: 1 }, options);
    return `answers at ${addresses.coordinator}`;
  });
  yield coordinatorIs;
  if (model === undefined) {
    yield {
      what: "model",
      state: "note",
      detail: "none given; with --model NAME its conductors and lanes are looked at, too",
    };
    return;
  }
  // Nothing can be said of what nobody answers for.
  if (registryIs.state === "bad" || coordinatorIs.state === "bad") return;
  yield* conductorsOf(context, model);
  yield* kindsOf(context, model);
  const { headVersion } = await registry.getModel({ name: model }, options);
  if (headVersion === 0n) {
    yield { what: "lanes", state: "note", detail: "nothing is committed yet: greco make-it-so DRAFT" };
    return;
  }
  const ingressIs = await attempt(context, "ingress", async () => {
    const { streams } = await ingress.listStreams({ parent: model, pageSize: PAGE_SIZE }, options);
    const behind = streams.some((each) => each.ledgerEpoch < headVersion);
    const at = behind ? `not yet at epoch ${headVersion}` : `at epoch ${headVersion}`;
    return `answers at ${addresses.ingress}; ${streams.length} streams, ${at}`;
  });
  yield ingressIs;
  if (ingressIs.state === "ok") yield* lanesOf(context, model);
}

async function* conductorsOf(context: Context, model: string): AsyncGenerator<Diagnosis> {
  const found = await listConductors(context, model);
  for (const { name, state, incarnation, lastHeardTime } of found) {
    const what = shortName(name);
    if (state === Conductor_State.ACTIVE)
      yield { what, state: "ok", detail: `votes; incarnation ${incarnation}` };
    else if (state === Conductor_State.JOINING)
      yield { what, state: "note", detail: "is joining: it votes from the version that its join makes" };
    else yield { what, state: "note", detail: "was deregistered: it registers anew when it starts" };
    const heardMs = Number(lastHeardTime?.seconds ?? 0n) * 1_000;
    if (heardMs > Date.now() + CLOCK_APART_MS)
      yield { what: "clock", state: "note", detail: `${what} was heard in the future: this clock is behind` };
  }
}

/** Together with the conductors' own lines: what nobody takes care of. */
async function* kindsOf(context: Context, model: string): AsyncGenerator<Diagnosis> {
  const lacking = await kindsWithoutConductor(context, model, await listConductors(context, model));
  for (const kind of lacking)
    yield {
      what: `kind ${kind}`,
      state: "bad",
      detail: "has no conductor, so that no change of it can be committed: start one",
    };
}

async function* lanesOf(context: Context, model: string): AsyncGenerator<Diagnosis> {
  const { ingress } = await context.clients();
  const lanes = await pages(async (pageToken) => {
    const page = await ingress.listLanes(
      { parent: model, pageSize: PAGE_SIZE, pageToken },
      { signal: context.signal, timeoutMs: ANSWER_MS },
    );
    return { items: page.lanes, next: page.nextPageToken };
  });
  const held = heldLines(lanes);
  for (const detail of held) yield { what: "lanes", state: "bad", detail };
  if (held.length === 0) yield { what: "lanes", state: "ok", detail: `${lanes.length} live, none is held` };
}

async function* access(context: Context): AsyncGenerator<Diagnosis> {
  const model = context.parent();
  const { commit } = await context.clients();
  yield* diagnoseAccess(commit.inspect({ model, subject: Subject.ACCESS }, { signal: context.signal }));
}
