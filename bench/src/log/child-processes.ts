import { readFile } from "node:fs/promises";
import type { ProcessRef } from "../usage.ts";

/** Programs that have a better name. */
const NAMES: Readonly<Record<string, string>> = {
  MainThread: "service",
  "nats-server": "nats",
  "secantusd-rs": "mongodb",
  "valkey-server": "valkey",
};

/** This process, "bench", and those that it has started. A service is "service". */
export async function childProcesses(): Promise<ProcessRef[]> {
  const children = await readFile(`/proc/${process.pid}/task/${process.pid}/children`, "latin1");
  const started = children.split(" ").filter((pid) => pid.trim() !== "");
  const named = started.map(async (pid): Promise<ProcessRef> => {
    const name = (await readFile(`/proc/${pid}/comm`, "latin1")).trim();
    return { name: NAMES[name] ?? name, pid: Number(pid) };
  });
  return [{ name: "bench", pid: process.pid }, ...(await Promise.all(named))];
}
