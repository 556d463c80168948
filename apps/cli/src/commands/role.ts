/** `greco role …`: who may do what in a model. */
import { Argument, type Command } from "commander";
import {
  PersonRole,
  PersonRoleSchema,
  type RoleBinding,
  RoleBindingSchema,
} from "@greco/contracts/greco/model/v1/model";
import type { Runner } from "../context.ts";
import { enumName } from "../enum-name.ts";
import { PAGE_SIZE, pages } from "../names.ts";
import type { Facts } from "../output.ts";
import { plain } from "../plain.ts";

const ROLES = {
  viewer: PersonRole.VIEWER,
  editor: PersonRole.EDITOR,
  releaser: PersonRole.RELEASER,
  admin: PersonRole.ADMIN,
} as const;

const roleFacts = ({ subject, role }: RoleBinding): Facts => [
  ["subject", subject],
  ["role", enumName(PersonRoleSchema, role)],
];

export function addRoleCommands(program: Command, { run }: Runner): void {
  const role = program.command("role").description("who may do what in the model: set, list, remove");
  role
    .command("set <subject>")
    .addArgument(new Argument("<role>", "each may what the ones before it may").choices(Object.keys(ROLES)))
    .description("viewer < editor < releaser < admin")
    .action(
      run<[string, keyof typeof ROLES], unknown>(async (context, _options, subject, name) => {
        const { registry } = await context.clients();
        const set = await registry.setRoleBinding(
          { parent: context.parent(), roleBinding: { subject, role: ROLES[name] } },
          { signal: context.signal },
        );
        context.output.one(set, roleFacts, (each) => plain(RoleBindingSchema, each));
      }),
    );
  role
    .command("remove <subject>")
    .description("takes a person's role in this model away")
    .action(
      run<[string], unknown>(async (context, _options, subject) => {
        const { registry } = await context.clients();
        await registry.deleteRoleBinding(
          { name: `${context.parent()}/roleBindings/${subject}` },
          { signal: context.signal },
        );
        context.output.done(`${subject} has no role of its own any more`, { removed: subject });
      }),
    );
  role
    .command("list")
    .description("everybody with a role in this model")
    .action(
      run<[], unknown>(async (context) => {
        const { registry } = await context.clients();
        const bindings = await pages(async (pageToken) => {
          const page = await registry.listRoleBindings(
            { parent: context.parent(), pageSize: PAGE_SIZE, pageToken },
            { signal: context.signal },
          );
          return { items: page.roleBindings, next: page.nextPageToken };
        });
        context.output.list(
          bindings,
          [
            { title: "subject", value: (each) => each.subject },
            { title: "role", value: (each) => enumName(PersonRoleSchema, each.role) },
          ],
          (each) => plain(RoleBindingSchema, each),
          "nobody has a role of their own",
        );
      }),
    );
}
