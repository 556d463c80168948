/** `greco conductor list | deregister`: who has a say. */
import type { Command } from "commander";
import {
  type Conductor,
  Conductor_StateSchema,
  ConductorSchema,
} from "@greco/contracts/greco/conductor/v1/conductor";
import { listConductors } from "../conductors.ts";
import type { Runner } from "../context.ts";
import { enumName } from "../enum-name.ts";
import { plain } from "../plain.ts";
import { shortName } from "../short-name.ts";
import { timeText } from "../times.ts";

const stateText = ({ state }: Conductor): string => enumName(Conductor_StateSchema, state);

export function addConductorCommands(program: Command, { run }: Runner): void {
  const conductor = program.command("conductor").description("who has a say: list, deregister");
  conductor
    .command("list")
    .description("conductors that are registered for the model")
    .action(
      run<[], unknown>(async (context) => {
        context.output.list(
          await listConductors(context, context.parent()),
          [
            { title: "conductor", value: (each) => shortName(each.name) },
            { title: "state", value: stateText },
            { title: "kinds", value: (each) => (each.kinds.length === 0 ? "every" : each.kinds.join(", ")) },
            { title: "incarnation", value: (each) => String(each.incarnation), right: true },
            { title: "since", value: (each) => `v${each.sinceVersion}`, right: true },
            { title: "last heard", value: (each) => timeText(each.lastHeardTime) },
          ],
          (each) => plain(ConductorSchema, each),
          "no conductors are registered for this model",
        );
      }),
    );
  conductor
    .command("deregister <conductor>")
    .description("takes its vote away: its open proposals abort, and it must register anew; audited")
    .requiredOption("--reason <text>", "why")
    .action(
      run<[string], { reason: string }>(async (context, { reason }, name) => {
        const { conductors } = await context.clients();
        const gone = await conductors.deregisterConductor(
          { name: `conductors/${shortName(name)}`, model: context.parent(), reason },
          { signal: context.signal },
        );
        context.output.one(
          gone,
          (each) => [
            ["conductor", shortName(each.name)],
            ["state", stateText(each)],
          ],
          (each) => plain(ConductorSchema, each),
        );
      }),
    );
}
