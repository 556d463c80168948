// The README's tutorial as data: what a person pastes, and what the README says they then see.
//
// T1. Exactly the fenced `sh` blocks between the markers are run, in their order, each pasted whole; the first one,
//     which starts `greco dev`, in a terminal of its own.
// T2. A `text` block says what the block before it shows: its lines in this order, `…` for anything, other lines
//     may stand between them.

export type Step = { readonly commands: string; readonly shown: readonly string[] };

const BEGIN = "<!-- tutorial -->";
const END = "<!-- /tutorial -->";

export function stepsOf(readme: string): Step[] {
  const from = readme.indexOf(BEGIN);
  const to = readme.indexOf(END, from);
  if (from < 0 || to < 0) throw new Error(`README.md lacks ${BEGIN} or ${END}`);
  const steps: { commands: string; shown: string[] }[] = [];
  for (const [, language, text = ""] of readme.slice(from, to).matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)) {
    if (language === "sh") steps.push({ commands: text, shown: [] });
    else if (language === "text") steps.at(-1)?.shown.push(...text.trimEnd().split("\n"));
  }
  return steps;
}

const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

/** The first line that was promised and not shown; undefined when all were. */
export function missingLine(shown: readonly string[], output: string): string | undefined {
  const lines = output.split("\n");
  let at = 0;
  for (const promised of shown) {
    if (promised === "…") continue;
    // Blanks only align columns, whose widths depend on what stands in them.
    const pattern = promised
      .trim()
      .split("…")
      .map((part) => escaped(part).replace(/ +/g, " +"));
    const wanted = new RegExp(`^ *${pattern.join(".*")}`);
    const found = lines.findIndex((line, index) => index >= at && wanted.test(line));
    if (found < 0) return promised;
    at = found + 1;
  }
  return undefined;
}
