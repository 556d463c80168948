// A page's tutorial as data: what a person pastes, and what the page says they then see.
//
// T1. Exactly the fenced `sh` blocks between the markers are run, in their order, each pasted whole; the first ones,
//     which start what goes on, in terminals of their own.
// T2. A `text` block says what the block before it shows: its lines in this order, `…` for anything, other lines
//     may stand between them.

export type Step = { readonly commands: string; readonly shown: readonly string[] };

/** Between `<!-- name -->` and `<!-- /name -->`. */
export function stepsOf(page: string, name = "tutorial"): Step[] {
  const [begin, end] = [`<!-- ${name} -->`, `<!-- /${name} -->`];
  const from = page.indexOf(begin);
  const to = page.indexOf(end, from);
  if (from < 0 || to < 0) throw new Error(`the page lacks ${begin} or ${end}`);
  const steps: { commands: string; shown: string[] }[] = [];
  for (const [, language, text = ""] of page.slice(from, to).matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)) {
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
