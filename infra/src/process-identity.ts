import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";

/**
 * What tells this process from a later one with the same pid: the boot and the start time.
 * `undefined` when there is no such process (a zombie counts as none).
 */
export function startTimeOf(pid: number): string | undefined {
  return process.platform === "linux" ? startTimeFromProc(pid) : startTimeFromPs(pid);
}

/** True when the process that was recorded is still the one that runs under this pid. */
export function isAlive(pid: number, startTime: string): boolean {
  return startTimeOf(pid) === startTime;
}

/** Waits until a process that was sent a SIGSTOP stands still: on a busy machine its threads run on for a moment. Not for one that has gone. */
export async function untilStopped(pid: number): Promise<void> {
  while (startTimeOf(pid) !== undefined && !isStopped(pid)) await delay(1);
}

/** One line for pid files and lock owners. */
export function identityLine(pid: number): string {
  return `${pid} ${startTimeOf(pid) ?? "gone"}\n`;
}

export function parseIdentity(line: string): { pid: number; startTime: string } | undefined {
  const match = /^(\d+) (\S.*)\n?$/.exec(line);
  return match?.[1] === undefined || match[2] === undefined
    ? undefined
    : { pid: Number(match[1]), startTime: match[2] };
}

function startTimeFromProc(pid: number): string | undefined {
  try {
    // The command name may hold spaces and brackets; what follows the last ")" is fixed.
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    if (fields[0] === "Z" || fields[0] === "X") return undefined;
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").slice(0, 8);
    return `${boot}:${fields[19]}`;
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

function startTimeFromPs(pid: number): string | undefined {
  try {
    const line = execFileSync("ps", ["-o", "stat=,lstart=", "-p", String(pid)], { encoding: "utf8" }).trim();
    return line === "" || line.startsWith("Z") ? undefined : line.replace(/^\S+\s+/, "").replaceAll(/\s+/g, "_");
  } catch (error) {
    if (error instanceof Error && "status" in error && error.status === 1) return undefined; // ps: no such process
    throw error;
  }
}

function isStopped(pid: number): boolean {
  if (process.platform !== "linux") {
    return execFileSync("ps", ["-o", "stat=", "-p", String(pid)], { encoding: "utf8" }).startsWith("T");
  }
  try {
    const threads = readdirSync(`/proc/${pid}/task`).map((id) => readFileSync(`/proc/${pid}/task/${id}/stat`, "utf8"));
    return threads.every((stat) => /^[TtZX]/.test(stat.slice(stat.lastIndexOf(")") + 2)));
  } catch (error) {
    if (isMissing(error)) return false; // a thread that has just ended
    throw error;
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ESRCH");
}
