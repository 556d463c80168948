/** Tells the story: numbered steps, indented facts, a table; a live line only on a terminal. */
export type Narrator = {
  step(title: string): void;
  say(line: string): void;
  live(line: string): void;
  table(header: readonly string[], rows: readonly (readonly string[])[]): void;
};

type Sink = NodeJS.WriteStream;

export function createNarrator(sink: Sink, colour: boolean): Narrator {
  const paint = (code: string, text: string): string => (colour ? `\u001b[${code}m${text}\u001b[0m` : text);
  let steps = 0;
  let liveShown = false;
  const clear = (): void => {
    if (liveShown) sink.write("\r\u001b[K");
    liveShown = false;
  };
  const line = (text: string): void => {
    clear();
    sink.write(`${text}\n`);
  };
  return {
    step(title) {
      steps += 1;
      line(`\n${paint("1;36", `${steps}.`)} ${paint("1", title)}`);
    },
    say: (text) => line(`   ${text}`),
    live(text) {
      if (!sink.isTTY) return;
      sink.write(`\r\u001b[K   ${text}`);
      liveShown = true;
    },
    table(header, rows) {
      const widths = header.map((title, column) =>
        Math.max(title.length, ...rows.map((row) => (row[column] ?? "").length)),
      );
      // The first column holds names, the others figures.
      const format = (row: readonly string[]): string =>
        row
          .map((cell, column) =>
            column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
          )
          .join("   ")
          .trimEnd();
      line(`\n   ${paint("2", format(header))}`);
      for (const row of rows) line(`   ${format(row)}`);
    },
  };
}
