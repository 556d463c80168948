/** Ids of commands: the same in every repeat, from any coordinator, so that a repeat gets the first answer. */
export const COMMANDS = ["review", "prepare", "settle", "disarm"] as const;
export type CommandKind = (typeof COMMANDS)[number];

export function commandId(proposal: string, kind: CommandKind): string {
  return `${proposal}.${kind}`;
}

export function parseCommandId(text: string): { proposal: string; kind: CommandKind } | undefined {
  const match = /^([a-z0-9-]{1,63})\.([a-z]+)$/.exec(text);
  const kind = COMMANDS.find((each) => each === match?.[2]);
  return match?.[1] === undefined || kind === undefined ? undefined : { proposal: match[1], kind };
}
