import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { machineTimes, TICKS_PER_SECOND } from "../usage.ts";

/** What came of a piece. */
export interface Ran {
  /** Its JSON line. */
  readonly line: unknown;
  readonly seconds: number;
  /** The load of the last minute, before and after. */
  readonly load: readonly [number, number];
  /** What others on the machine used meanwhile, in CPUs. */
  readonly otherCpus: number;
}

/** How long a piece may take to end when it is told to. */
const KILL_AFTER_MS = 5_000;

/** Runs a piece in a process of its own; rejects when it fails, is told to end by `abort`, or takes longer than the limit. */
export async function runPiece(
  script: string,
  args: readonly string[],
  limitSeconds: number,
  abort: AbortSignal,
): Promise<Ran> {
  // One that is ended leaves its servers' data: it is in here.
  const folder = await mkdtemp(join(tmpdir(), "oceanchat-bench-"));
  try {
    return await runIn(folder, script, args, limitSeconds, abort);
  } finally {
    await rm(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 500 });
  }
}

async function runIn(
  folder: string,
  script: string,
  args: readonly string[],
  limitSeconds: number,
  abort: AbortSignal,
): Promise<Ran> {
  const [loadBefore = 0] = loadavg();
  const before = await used();
  const began = performance.now();
  // Leads a group of its own, so that the services which it has started can be ended with it.
  const child = spawn(process.execPath, [join(import.meta.dirname, script), ...args], {
    env: { ...process.env, TMPDIR: folder },
    stdio: ["ignore", "pipe", "inherit"],
    detached: true,
  });
  const signals = AbortSignal.any([abort, AbortSignal.timeout(limitSeconds * 1000)]);
  const stop = () => endGroup(child.pid ?? 0);
  signals.addEventListener("abort", stop);
  const [output, [code, signal]] = await Promise.all([text(child.stdout), once(child, "close")]);
  signals.removeEventListener("abort", stop);
  const seconds = (performance.now() - began) / 1000;
  const after = await used();
  if (code !== 0) throw new Error(`${script} ended with ${signal ?? code} after ${Math.round(seconds)} s`);
  const others = after.machine - before.machine - (after.own - before.own);
  const otherCpus = Number(Math.max(0, others / seconds).toFixed(2));
  return { line: JSON.parse(output), seconds: Math.round(seconds), load: [loadBefore, loadavg()[0] ?? 0], otherCpus };
}

function endGroup(pid: number): void {
  const send = (signal: NodeJS.Signals) => {
    try {
      process.kill(-pid, signal);
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
    }
  };
  send("SIGTERM");
  setTimeout(() => send("SIGKILL"), KILL_AFTER_MS).unref();
}

/** CPU seconds of the machine, and of this process with all that it has started and that has ended (cutime and cstime). */
async function used(): Promise<{ readonly machine: number; readonly own: number }> {
  const [machine, self] = await Promise.all([readFile("/proc/stat", "latin1"), readFile("/proc/self/stat", "latin1")]);
  const fields = self.slice(self.lastIndexOf(")") + 2).split(" ");
  const ticks = [14, 15, 16, 17].reduce((sum, field) => sum + Number(fields[field - 3]), 0);
  return { machine: machineTimes(machine).busySeconds, own: ticks / TICKS_PER_SECOND };
}
