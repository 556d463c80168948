/** `greco model …`: the models that there are, and their settings. */
import { type Command, Option } from "commander";
import {
  type Model,
  ModelSchema,
  VoterPolicy,
  VoterPolicySchema,
} from "@greco/contracts/greco/model/v1/model";
import type { Runner } from "../context.ts";
import { enumName } from "../enum-name.ts";
import { modelResourceOf, PAGE_SIZE, pages } from "../names.ts";
import type { Facts } from "../output.ts";
import { waitForConductors } from "../conductors.ts";
import { plain } from "../plain.ts";
import { shortName } from "../short-name.ts";
import { timeText } from "../times.ts";

const modelFacts = (model: Model): Facts => [
  ["model", shortName(model.name)],
  ["title", model.displayName],
  ["version", String(model.headVersion)],
  ["voters", enumName(VoterPolicySchema, model.voters)],
  ["second person", model.approvalRequired ? "required" : "not required"],
  ["made", timeText(model.createTime)],
];

type Settings = { title?: string; voters?: "all" | "affected"; approval?: "yes" | "no" };

const VOTERS = { all: VoterPolicy.ALL, affected: VoterPolicy.AFFECTED } as const;

export function addModelCommands(program: Command, { run }: Runner): void {
  const model = program.command("model").description("models: create, list, describe, set");
  model
    .command("create <name>")
    .description("makes a model with the built-in kinds; you become its admin")
    .option("--title <text>", "how people call it", "")
    .option("--wait", "until each of its kinds has a conductor")
    .action(
      run<[string], { title: string; wait?: boolean }>(async (context, { title, wait }, name) => {
        const { registry } = await context.clients();
        const made = await registry.createModel(
          { modelId: name, model: { displayName: title } },
          { signal: context.signal },
        );
        if (wait === true) await waitForConductors(context, made.name);
        context.output.one(made, modelFacts, (each) => plain(ModelSchema, each));
      }),
    );
  model
    .command("list")
    .description("models that you may view")
    .action(
      run<[], unknown>(async (context) => {
        const { registry } = await context.clients();
        const models = await pages(async (pageToken) => {
          const page = await registry.listModels(
            { pageSize: PAGE_SIZE, pageToken },
            { signal: context.signal },
          );
          return { items: page.models, next: page.nextPageToken };
        });
        context.output.list(
          models,
          [
            { title: "model", value: (each) => shortName(each.name) },
            { title: "version", value: (each) => String(each.headVersion), right: true },
            { title: "title", value: (each) => each.displayName, prose: true },
          ],
          (each) => plain(ModelSchema, each),
          "no models yet: greco model create NAME",
        );
      }),
    );
  model
    .command("describe <name>")
    .description("a model's head and settings")
    .action(
      run<[string], unknown>(async (context, _options, name) => {
        const { registry } = await context.clients();
        const found = await registry.getModel({ name: modelResourceOf(name) }, { signal: context.signal });
        context.output.one(found, modelFacts, (each) => plain(ModelSchema, each));
      }),
    );
  model
    .command("set <name>")
    .description("changes a model's settings; what is not given stays")
    .option("--title <text>", "how people call it")
    .addOption(new Option("--voters <policy>", "who votes on a change").choices(["all", "affected"]))
    .addOption(
      new Option("--approval <yes|no>", "whether make-it-so needs a second person").choices(["yes", "no"]),
    )
    .action(
      run<[string], Settings>(async (context, { title, voters, approval }, name) => {
        const { registry } = await context.clients();
        const { signal } = context;
        const old = await registry.getModel({ name: modelResourceOf(name) }, { signal });
        const changed = await registry.updateModel(
          {
            model: {
              name: old.name,
              etag: old.etag,
              displayName: title ?? old.displayName,
              voters: voters === undefined ? old.voters : VOTERS[voters],
              approvalRequired: approval === undefined ? old.approvalRequired : approval === "yes",
            },
          },
          { signal },
        );
        context.output.one(changed, modelFacts, (each) => plain(ModelSchema, each));
      }),
    );
}
