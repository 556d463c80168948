/** One `greco dev` a folder: two would each believe that they own the ports and tokens in it. */
import { mkdir, open, readFile, rm } from "node:fs/promises";
import { join } from "node:path";

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

export async function lockFolder(dir: string): Promise<AsyncDisposable> {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const path = join(dir, "dev.pid");
  for (let attempt = 0; ; attempt += 1) {
    try {
      const file = await open(path, "wx", 0o600);
      await file.writeFile(String(process.pid));
      await file.close();
      return { [Symbol.asyncDispose]: () => rm(path, { force: true }) };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST" || attempt > 0) throw error;
      const pid = Number(await readFile(path, "utf8").catch(() => "0"));
      if (pid > 0 && pid !== process.pid && isAlive(pid)) {
        throw new Error(`${dir} is in use by process ${pid}: end it, or give another folder with --data`, {
          cause: error,
        });
      }
      // Left behind by a process that was killed.
      await rm(path, { force: true });
    }
  }
}
