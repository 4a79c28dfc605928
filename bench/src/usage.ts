import { readFile } from "node:fs/promises";

/** A process whose use of the machine is measured. */
export interface ProcessRef {
  readonly name: string;
  readonly pid: number;
}

/** What a process has used so far. */
interface ProcessSample extends ProcessRef {
  readonly cpuSeconds: number;
  readonly rssBytes: number;
}

/** What the processes and the whole machine have used so far. */
export interface UsageSample {
  readonly atMs: number;
  readonly processes: readonly ProcessSample[];
  /** All CPUs together: everything but idle and waiting for the disk. */
  readonly busySeconds: number;
  /** What the hypervisor gave to others. */
  readonly stolenSeconds: number;
}

/** What a process used between two samples. */
export interface ProcessUsage {
  readonly name: string;
  readonly cpuSeconds: number;
  readonly rssStartBytes: number;
  /** The most that a sample saw. */
  readonly rssPeakBytes: number;
  /** At the end. */
  readonly rssBytes: number;
}

/** What was used between two samples. */
export interface Usage {
  readonly seconds: number;
  readonly processes: readonly ProcessUsage[];
  /** Processes that ended or were started in between: their figures are not whole. */
  readonly restarted: readonly string[];
  /** Used by processes that were not asked for, the kernel's own included. */
  readonly otherCpuSeconds: number;
  readonly stolenCpuSeconds: number;
}

/** USER_HZ, 100 on every Linux that Node runs on. */
export const TICKS_PER_SECOND = 100;
const PAGE_BYTES = 4096;

/** Reads /proc. Processes that are gone are left out. */
export async function sampleUsage(refs: readonly ProcessRef[]): Promise<UsageSample> {
  const [stat, ...samples] = await Promise.all([readFile("/proc/stat", "latin1"), ...refs.map(sampleProcess)]);
  return {
    atMs: performance.now(),
    processes: samples.flatMap((sample) => sample ?? []),
    ...machineTimes(stat),
  };
}

async function sampleProcess(ref: ProcessRef): Promise<ProcessSample | undefined> {
  try {
    return { ...ref, ...processTimes(await readFile(`/proc/${ref.pid}/stat`, "latin1")) };
  } catch (error) {
    if (error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ESRCH"))
      return undefined;
    throw error;
  }
}

/** CPU time and memory out of /proc/<pid>/stat (proc_pid_stat(5)): fields 14, 15 and 24. */
export function processTimes(stat: string): { readonly cpuSeconds: number; readonly rssBytes: number } {
  // The name, in parentheses, may itself hold spaces and parentheses.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const at = (field: number): number => Number(fields[field - 3]);
  return { cpuSeconds: (at(14) + at(15)) / TICKS_PER_SECOND, rssBytes: at(24) * PAGE_BYTES };
}

/** The first line of /proc/stat: user nice system idle iowait irq softirq steal. */
export function machineTimes(stat: string): { readonly busySeconds: number; readonly stolenSeconds: number } {
  const line = stat.slice(0, stat.indexOf("\n"));
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = line.split(/\s+/).slice(1).map(Number);
  return {
    busySeconds: (user + nice + system + irq + softirq) / TICKS_PER_SECOND,
    stolenSeconds: steal / TICKS_PER_SECOND,
  };
}

/** What was used between two samples; `peaks` is the most memory of each process, by samples in between. */
export function usageBetween(
  before: UsageSample,
  after: UsageSample,
  peaks: ReadonlyMap<string, number> = new Map(),
): Usage {
  const earlier = new Map(before.processes.map((sample) => [`${sample.name} ${sample.pid}`, sample]));
  const processes: ProcessUsage[] = [];
  const restarted = new Set<string>();
  for (const { name, pid, cpuSeconds, rssBytes } of after.processes) {
    const first = earlier.get(`${name} ${pid}`);
    if (first === undefined) restarted.add(name);
    earlier.delete(`${name} ${pid}`);
    const rssStartBytes = first?.rssBytes ?? 0;
    const rssPeakBytes = Math.max(rssStartBytes, rssBytes, peaks.get(name) ?? 0);
    processes.push({
      name,
      cpuSeconds: cpuSeconds - (first?.cpuSeconds ?? 0),
      rssStartBytes,
      rssPeakBytes,
      rssBytes,
    });
  }
  for (const { name } of earlier.values()) restarted.add(name);
  const known = processes.reduce((sum, { cpuSeconds }) => sum + cpuSeconds, 0);
  return {
    seconds: (after.atMs - before.atMs) / 1000,
    processes,
    restarted: [...restarted],
    otherCpuSeconds: Math.max(0, after.busySeconds - before.busySeconds - known),
    stolenCpuSeconds: after.stolenSeconds - before.stolenSeconds,
  };
}
