/** `greco validate`: entity files, checked without any service. */
import type { Command } from "commander";
import { EXIT } from "../cli-error.ts";
import type { Runner } from "../context.ts";
import { findingText } from "../difference-view.ts";
import { entitiesAt } from "../input.ts";
import { isError } from "../finding-view.ts";
import { checkFiles } from "../offline-check.ts";

export function addValidateCommand(program: Command, { run }: Runner): void {
  program
    .command("validate")
    .description("checks entity files without any service; exit code 1 when something is wrong")
    .requiredOption("-f, --file <path>", "a file or a folder (- is stdin)")
    .action(
      run<[], { file: string }>(async ({ output, exit }, { file }) => {
        const entities = await entitiesAt(file);
        const { findings, unknownKinds } = checkFiles(entities);
        const items = output.items();
        for (const each of findings) items.item(each, () => findingText(output, each));
        items.end();
        if (unknownKinds.length > 0)
          output.note(`not checked here, the model knows these kinds: ${unknownKinds.join(", ")}`);
        if (findings.some(isError)) exit(EXIT.failed);
        else
          output.note(
            `${entities.length} ${entities.length === 1 ? "entity is" : "entities are"} well formed`,
          );
      }),
    );
}
