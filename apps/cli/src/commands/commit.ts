/** `greco make-it-so | rollback | confirm | proposal …`: the one way in which a model changes. */
import type { Command } from "commander";
import type { Runner } from "../context.ts";
import { follow } from "../follow.ts";
import { getDraft } from "../drafts.ts";
import { PAGE_SIZE, pages, parseInteger } from "../names.ts";
import { isSettled, phaseText } from "../proposal-view.ts";
import { finish, proposalJson, showOutcome, showProposal } from "../proposals.ts";
import { shortName } from "../short-name.ts";
import { parseDuration, timeText, toDuration } from "../times.ts";

type StartFlags = { reason: string; confirmWithin?: string; wait?: boolean };

const confirmOf = ({ confirmWithin }: StartFlags) =>
  confirmWithin === undefined
    ? {}
    : { confirmWithin: toDuration(parseDuration(confirmWithin, "--confirm-within")) };

const startable = (command: Command): Command =>
  command
    .option("--reason <text>", "why; it stands in the history", "")
    .option("--confirm-within <time>", "taken back by itself unless confirmed within this time, as 10m")
    .option("--wait", "until it is in effect or aborted (exit code 1)");

export function addCommitCommands(program: Command, runner: Runner): void {
  const { run } = runner;
  startable(
    program
      .command("make-it-so <draft>")
      .description(
        "commits the draft: conductors review and prepare, one transaction decides, markers follow",
      ),
  ).action(
    run<[string], StartFlags>(async (context, options, name) => {
      const confirm = confirmOf(options);
      const draft = await getDraft(context, name);
      const { commit } = await context.clients();
      const started = await commit.makeItSo(
        { draft: draft.name, etag: draft.etag, reason: options.reason, ...confirm },
        { signal: context.signal },
      );
      await finish(context, started, options.wait === true);
    }),
  );
  startable(
    program.command("rollback <version>").description("a new version with the content of an older one"),
  ).action(
    run<[string], StartFlags>(async (context, options, version) => {
      const confirm = confirmOf(options);
      const toVersion = BigInt(parseInteger(version, "version"));
      const { commit } = await context.clients();
      const started = await commit.rollback(
        { model: context.parent(), toVersion, reason: options.reason, ...confirm },
        { signal: context.signal },
      );
      await finish(context, started, options.wait === true);
    }),
  );
  program
    .command("confirm <proposal>")
    .description("keeps a commit that was made with --confirm-within")
    .action(
      run<[string], unknown>(async (context, _options, name) => {
        const { commit } = await context.clients();
        const confirmed = await commit.confirmProposal(
          { name: context.resource("proposals", name) },
          { signal: context.signal },
        );
        showProposal(context, confirmed);
      }),
    );
  addProposalCommands(program, runner);
}

function addProposalCommands(program: Command, { run }: Runner): void {
  const proposal = program
    .command("proposal")
    .description("runs of the commit protocol: get, list, watch, withdraw");
  proposal
    .command("get <proposal>")
    .description("where it stands, and what each conductor says")
    .action(
      run<[string], unknown>(async (context, _options, name) => {
        const { commit } = await context.clients();
        const found = await commit.getProposal(
          { name: context.resource("proposals", name) },
          { signal: context.signal },
        );
        showProposal(context, found);
      }),
    );
  proposal
    .command("list")
    .description("newest first")
    .option("--limit <n>", "at most so many", "50")
    .action(
      run<[], { limit: string }>(async (context, { limit }) => {
        const most = parseInteger(limit, "--limit");
        const { commit } = await context.clients();
        const proposals = await pages(async (pageToken) => {
          const page = await commit.listProposals(
            { parent: context.parent(), pageSize: Math.min(PAGE_SIZE, most), pageToken },
            { signal: context.signal },
          );
          return { items: page.proposals, next: page.nextPageToken };
        }, most);
        context.output.list(
          proposals,
          [
            { title: "proposal", value: (each) => shortName(each.name) },
            { title: "phase", value: phaseText },
            { title: "by", value: (each) => each.actor },
            { title: "when", value: (each) => timeText(each.createTime) },
            { title: "reason", value: (each) => each.reason, prose: true },
          ],
          proposalJson,
          "no proposals yet",
        );
      }),
    );
  proposal
    .command("watch <proposal>")
    .description("until it is settled: every conductor has released or taken back")
    .action(
      run<[string], unknown>(async (context, _options, name) => {
        showOutcome(context, await follow(context, context.resource("proposals", name), isSettled));
      }),
    );
  proposal
    .command("withdraw <proposal>")
    .description("aborts it, as long as it is not decided")
    .option("--reason <text>", "why", "")
    .action(
      run<[string], { reason: string }>(async (context, { reason }, name) => {
        const { commit } = await context.clients();
        const withdrawn = await commit.withdrawProposal(
          { name: context.resource("proposals", name), reason },
          { signal: context.signal },
        );
        showProposal(context, withdrawn);
      }),
    );
}
