/** Follows a proposal: redrawn by conductor on a terminal, a line for each news elsewhere. */
import type { Proposal } from "@greco/contracts/greco/commit/v1/commit";
import { watchProposal } from "@greco/sdk";
import { CliError } from "./cli-error.ts";
import type { Context } from "./context.ts";
import { shortName } from "./short-name.ts";
import type { Output, Paint } from "./output.ts";
import { type Mark, progressOf, type ProposalLine, SIGN } from "./proposal-view.ts";

const PAINT: Readonly<Record<Mark, Paint>> = { good: "green", bad: "red", open: "dim" };

export type Progress = {
  show(proposal: Proposal): void;
  /** The coordinator is away; said once until it is back. */
  interrupted(error: Error): void;
};

/** Shows proposals as they come; what was said already is not said again. */
export function createProgress(output: Output): Progress {
  let drawn = 0;
  let away = false;
  const said = new Map<number, string>();
  const sign = ({ mark }: ProposalLine): string => output.paintNote(PAINT[mark], SIGN[mark]);
  return {
    show(proposal) {
      away = false;
      const [head, ...voters] = progressOf(proposal);
      if (output.live) {
        const lines = [`${sign(head)} ${head.text}`, ...voters.map((line) => `  ${sign(line)} ${line.text}`)];
        output.redraw(drawn, lines);
        drawn = lines.length;
        return;
      }
      [head, ...voters].forEach((line, index) => {
        if (said.get(index) === line.text) return;
        said.set(index, line.text);
        output.note(`${index === 0 ? "" : "  "}${SIGN[line.mark]} ${line.text}`);
      });
    },
    interrupted(error) {
      if (!away) output.note(`${error.message}; still trying`);
      away = true;
      // What follows is drawn below.
      drawn = 0;
    },
  };
}

/** Resolves with the first state of the proposal that is `done`. Goes on over restarts of the coordinator. */
export async function follow(
  context: Context,
  name: string,
  done: (proposal: Proposal) => boolean,
): Promise<Proposal> {
  const { commit } = await context.clients();
  const { show, interrupted } = createProgress(context.output);
  const options = { signal: context.signal, onInterrupted: interrupted };
  for await (const proposal of watchProposal(commit, name, options)) {
    show(proposal);
    if (done(proposal)) return proposal;
  }
  throw new CliError(`the watch of ${name} ended early`, `greco proposal get ${shortName(name)}`);
}
