/** A handler's source, looked at without running it: does it parse, and does it export what is called. */
import { isBuiltin } from "node:module";
import { parse, type ModuleDeclaration, type Program } from "acorn";

export type HandlerFinding = {
  readonly column?: number;
  readonly reason: string;
  readonly message: string;
  readonly remedy: string;
};

const WRITE = "write: export function handle(event, context) { … }";

export function checkHandler(source: string): readonly HandlerFinding[] {
  const program = parseModule(source);
  if (!("body" in program)) return [program];
  const findings = program.body.flatMap((node) => {
    const from = "source" in node && node.source != null ? String(node.source.value) : undefined;
    if (from === undefined || isBuiltin(from)) return [];
    return [
      {
        column: columnOf(node),
        reason: "IMPORT_UNKNOWN",
        message: `it imports ${JSON.stringify(from)}, which a worker cannot find${atLine(node)}`,
        remedy: "import modules of Node only (node:…), and put the rest into the source",
      },
    ];
  });
  const names = program.body.flatMap((node) => exportedBy(node as ModuleDeclaration));
  const handle = names.find(({ name }) => name === "handle");
  if (handle === undefined) {
    const found = names.length === 0 ? "nothing" : names.map(({ name }) => name).join(", ");
    findings.push({
      column: 1,
      reason: "NO_HANDLE",
      message: `it exports no function "handle" (it exports ${found})`,
      remedy: WRITE,
    });
  } else if (!handle.callable)
    findings.push({ column: 1, reason: "NO_HANDLE", message: '"handle" is no function', remedy: WRITE });
  return findings;
}

type Located = {
  readonly loc?: { readonly start: { readonly line: number; readonly column: number } } | null;
};

const columnOf = ({ loc }: Located): number => (loc?.start.column ?? 0) + 1;
const atLine = ({ loc }: Located): string =>
  loc == null || loc.start.line === 1 ? "" : ` (line ${loc.start.line})`;

function parseModule(source: string): Program | HandlerFinding {
  try {
    return parse(source, { ecmaVersion: "latest", sourceType: "module", locations: true });
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    const start = (
      error as SyntaxError & { readonly loc?: { readonly line: number; readonly column: number } }
    ).loc;
    const place: Located = start === undefined ? {} : { loc: { start } };
    return {
      column: columnOf(place),
      reason: "SYNTAX_ERROR",
      message: `it is no ES module: ${error.message.replace(/ \(\d+:\d+\)$/, "")}${atLine(place)}`,
      remedy: "correct the source; it is JavaScript, without types",
    };
  }
}

type Exported = { readonly name: string; readonly callable: boolean };

function exportedBy(node: ModuleDeclaration | Program["body"][number]): readonly Exported[] {
  if (node.type === "ExportDefaultDeclaration") return [{ name: "default", callable: true }];
  if (node.type !== "ExportNamedDeclaration") return [];
  const { declaration, specifiers } = node;
  const listed = specifiers.map(({ exported }): Exported => ({
    name: exported.type === "Identifier" ? exported.name : String(exported.value),
    callable: true,
  }));
  if (declaration == null) return listed;
  if (declaration.type !== "VariableDeclaration")
    return [{ name: declaration.id.name, callable: declaration.type === "FunctionDeclaration" }];
  return declaration.declarations.flatMap(({ id, init }): Exported[] => {
    if (id.type !== "Identifier") return [];
    // What is computed may be a function; what is written out is seen.
    const plain =
      init == null ||
      ["Literal", "ObjectExpression", "ArrayExpression", "TemplateLiteral"].includes(init.type);
    return [{ name: id.name, callable: !plain }];
  });
}
