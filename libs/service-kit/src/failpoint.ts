/**
 * Named places where a test lets a process die, fail or hang: `GRECO_FAILPOINT=commit.promote.after:kill`.
 *
 * The value is a comma list of `name:kill|error|hang[:nth]`; `nth` (default 1) is the one hit that fires. A
 * place that many epochs pass says which in its name, `lane.marker.before@2`; without it, each one hits.
 * GRECO_FAILPOINT_WHEN names a file: hits count only once it is there, so that what begins is not hit.
 * Unset, a failpoint costs one comparison.
 */
import { existsSync } from "node:fs";

export type FailpointAction = "kill" | "error" | "hang";

export class FailpointError extends Error {
  override name = "FailpointError";
}

export type Failpoint = (name: string) => Promise<void>;

type Armed = { readonly action: FailpointAction; hitsLeft: number };

const NAME = /^[a-z0-9-]+(\.[a-z0-9-]+)*(@[0-9]+)?$/;
const passed = Promise.resolve();

export function createFailpoints(
  text: string | undefined,
  kill: () => void,
  isTime: () => boolean = () => true,
): Failpoint {
  const armed = parse(text ?? "");
  if (armed.size === 0) return () => passed;
  return async (name) => {
    const point = armed.get(name) ?? armed.get(name.replace(/@.*/, ""));
    if (point === undefined || !isTime()) return;
    point.hitsLeft -= 1;
    if (point.hitsLeft !== 0) return;
    process.stderr.write(`failpoint ${name}: ${point.action}\n`);
    if (point.action === "error") throw new FailpointError(`failpoint ${name}`);
    if (point.action === "kill") kill();
    // Killed or hung: nothing behind this line happens.
    await new Promise<never>(() => undefined);
  };
}

function parse(text: string): Map<string, Armed> {
  const armed = new Map<string, Armed>();
  for (const part of text.split(",").filter((each) => each !== "")) {
    const [name = "", action = "", nth = "1", ...more] = part.split(":");
    const hits = Number(nth);
    if (!NAME.test(name) || !isAction(action) || !Number.isSafeInteger(hits) || hits < 1 || more.length > 0)
      throw new Error(
        `GRECO_FAILPOINT: "${part}" is not name:kill|error|hang[:nth], as in commit.promote.after:kill:2`,
      );
    armed.set(name, { action, hitsLeft: hits });
  }
  return armed;
}

function isAction(text: string): text is FailpointAction {
  return text === "kill" || text === "error" || text === "hang";
}

const when = process.env["GRECO_FAILPOINT_WHEN"] ?? "";

/** Armed by this process's environment. */
export const failpoint: Failpoint = createFailpoints(
  process.env["GRECO_FAILPOINT"],
  () => {
    process.kill(process.pid, "SIGKILL");
  },
  () => when === "" || existsSync(when),
);
