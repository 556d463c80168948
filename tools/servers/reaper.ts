// Ends child processes when this one ends, however it ends: Node cannot ask the system for that, so a shell of a few
// lines holds the other end of a pipe, and kills whom it was told of when the pipe closes.
import { spawn } from "node:child_process";
import { once } from "node:events";

/**
 * Reads `+ pid` and `- pid`, one a line; at the end of its input kills those that are left, each with the process group
 * that it leads: its own children, which nobody told of.
 */
const SCRIPT = `
pids=" "
while read -r sign pid; do
  case "$sign" in
    +) pids="$pids$pid " ;;
    -) pids="\${pids%% $pid *} \${pids#* $pid }" ;;
  esac
done
for pid in $pids; do kill -s KILL -- "-$pid" 2>/dev/null || kill -s KILL "$pid" 2>/dev/null; done
`;

export type Reaper = AsyncDisposable & {
  /** From now on `pid`, and the process group that it leads, do not outlive this process. */
  watch(pid: number): void;
  /** It has ended: its number may become another's. */
  forget(pid: number): void;
};

export function createReaper(): Reaper {
  // In a session of its own, so that what ends this process (Ctrl-C, a time-out of the group) leaves it.
  const shell = spawn("sh", ["-c", SCRIPT], { detached: true, stdio: ["pipe", "ignore", "ignore"] });
  const ended = once(shell, "exit");
  // It must not keep this process from ending, nor end it when it is gone before a line was written.
  shell.unref();
  shell.stdin.on("error", () => undefined);
  return {
    watch: (pid) => void shell.stdin.write(`+ ${pid}\n`),
    forget: (pid) => void shell.stdin.write(`- ${pid}\n`),
    async [Symbol.asyncDispose]() {
      shell.ref();
      shell.stdin.end();
      await ended;
    },
  };
}
