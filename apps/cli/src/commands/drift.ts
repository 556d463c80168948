/** `greco drift` and `greco repair`: what outside is not as the newest version says, and making it so again. */
import type { Command } from "commander";
import { InspectRequest_Subject as Subject } from "@greco/contracts/greco/commit/v1/commit";
import type { Context, Runner } from "../context.ts";
import { showInspection } from "../inspection.ts";
import { shortName } from "../short-name.ts";
import { parseDuration, toDuration } from "../times.ts";

type Flags = { readonly conductor?: string; readonly within?: string };

export function addDriftCommands(program: Command, { run }: Runner): void {
  asking(program.command("drift"))
    .description(
      "what conductors made outside, beside the newest version; exit code 0: as it says, 2: it differs, 1: somebody could not look",
    )
    .action(
      run<[], Flags>(async (context, flags) => {
        const { commit } = await context.clients();
        const request = { ...requestOf(context, flags), subject: Subject.DRIFT };
        await showInspection(context, commit.inspect(request, { signal: context.signal }), "drift");
      }),
    );
  asking(program.command("repair"))
    .description("has conductors put back what differs; exit code 0: nothing differs any more, else as drift")
    .option("--reason <text>", "why; it stands in the audit log", "")
    .action(
      run<[], Flags & { reason: string }>(async (context, { reason, ...flags }) => {
        const { commit } = await context.clients();
        const request = { ...requestOf(context, flags), reason };
        await showInspection(context, commit.mend(request, { signal: context.signal }), "repair");
      }),
    );
}

const asking = (command: Command): Command =>
  command
    .option("--conductor <name>", "ask this one alone")
    .option("--within <time>", "how long to wait for conductors, as 2m");

function requestOf(
  context: Context,
  { conductor, within }: Flags,
): {
  model: string;
  conductor: string;
  timeout?: ReturnType<typeof toDuration>;
} {
  const model = context.parent();
  const wanted = conductor === undefined ? "" : `conductors/${shortName(conductor)}`;
  if (within === undefined) return { model, conductor: wanted };
  return { model, conductor: wanted, timeout: toDuration(parseDuration(within, "--within")) };
}
