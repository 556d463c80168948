/** `greco history | audit`: what was made so, and who did what. */
import type { Command } from "commander";
import { AuditRecordSchema, VersionSchema } from "@greco/contracts/greco/model/v1/model";
import type { Runner } from "../context.ts";
import { PAGE_SIZE, pages, parseInteger } from "../names.ts";
import { plain } from "../plain.ts";
import { shortName, thingOf } from "../short-name.ts";
import { timeText } from "../times.ts";

export function addHistoryCommands(program: Command, { run }: Runner): void {
  program
    .command("history")
    .description("versions, newest first: who, when, why")
    .option("--limit <n>", "at most so many", "50")
    .action(
      run<[], { limit: string }>(async (context, { limit }) => {
        const most = parseInteger(limit, "--limit");
        const { registry } = await context.clients();
        const versions = await pages(async (pageToken) => {
          const page = await registry.listVersions(
            { parent: context.parent(), pageSize: Math.min(PAGE_SIZE, most), pageToken },
            { signal: context.signal },
          );
          return { items: page.versions, next: page.nextPageToken };
        }, most);
        context.output.list(
          versions,
          [
            { title: "version", value: (each) => String(each.number), right: true },
            { title: "when", value: (each) => timeText(each.commitTime) },
            { title: "author", value: (each) => each.author },
            { title: "releaser", value: (each) => each.releaser },
            { title: "changes", value: (each) => String(each.changeCount), right: true },
            {
              title: "reason",
              prose: true,
              value: ({ restoresVersion, reason }) =>
                [restoresVersion > 0n ? `content of version ${restoresVersion}` : "", reason]
                  .filter((part) => part !== "")
                  .join("; "),
            },
          ],
          (each) => plain(VersionSchema, each),
          "nothing is committed yet",
        );
      }),
    );
  program
    .command("audit")
    .description("who did what, when and why, newest first; never rewritten")
    .option("--limit <n>", "at most so many", "100")
    .action(
      run<[], { limit: string }>(async (context, { limit }) => {
        const most = parseInteger(limit, "--limit");
        const { registry } = await context.clients();
        const records = await pages(async (pageToken) => {
          const page = await registry.listAuditRecords(
            { parent: context.parent(), pageSize: Math.min(PAGE_SIZE, most), pageToken },
            { signal: context.signal },
          );
          return { items: page.auditRecords, next: page.nextPageToken };
        }, most);
        context.output.list(
          records,
          [
            { title: "when", value: (each) => timeText(each.time) },
            { title: "who", value: (each) => shortName(each.actor) },
            { title: "what", value: (each) => each.method.replace(/^.*\//, "") },
            { title: "on", value: (each) => thingOf(each.resource) },
            { title: "outcome", value: (each) => each.outcome },
            { title: "reason", value: (each) => each.reason, prose: true },
          ],
          (each) => plain(AuditRecordSchema, each),
          "no records yet",
        );
      }),
    );
}
