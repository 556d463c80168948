// A mutation: a unified diff that breaks one invariant, headed by comments that name the test which must notice.
//
//   # test: libs/domain/src/lane/lane.spec.ts -t "keeps positions dense"
//   # breaks: the next sequence number is taken without its predecessor
//   diff --git …

export type Mutation = {
  /** File name below tools/mutations. */
  readonly name: string;
  readonly testFile: string;
  /** vitest's `-t`: a pattern on the full title. */
  readonly title: string | undefined;
  readonly breaks: string;
};

const unquoted = (text: string): string => /^(["'])(.*)\1$/.exec(text)?.[2] ?? text;

/** Reads the head of a patch; throws, naming the file, when the test or what it breaks is not said. */
export function parseMutation(name: string, text: string): Mutation {
  const said = (key: string): string => {
    const value = new RegExp(`^#\\s*${key}:\\s*(.+)$`, "m").exec(text)?.[1]?.trim();
    if (value === undefined) throw new Error(`tools/mutations/${name} lacks a line "# ${key}: …"`);
    return value;
  };
  const [testFile = "", title] = said("test").split(/\s+-t\s+/);
  return {
    name,
    testFile: testFile.trim(),
    title: title === undefined ? undefined : unquoted(title.trim()),
    breaks: said("breaks"),
  };
}
