import { setTimeout as sleep } from "node:timers/promises";
import { startServers, type TestServers } from "@oceanchat/infra/servers-for-tests";
import { SERVICE_NAMES, type ServiceName } from "@oceanchat/infra/topology";
import { type ServiceProcess, startServiceProcess, startStandaloneProcess } from "./log/service-process.ts";
import { sampleUsage } from "./usage.ts";

/** How a process started: a service by itself, or all in one. */
export interface ServiceStart {
  readonly service: ServiceName | "standalone";
  /** From the start of its process until it serves. */
  readonly readySeconds: number;
  /** A while after that. */
  readonly rssMiB: number;
}

const IDLE_MS = 1_000;
const MIB = 1024 * 1024;

/** Starts each service by itself, with its servers but without its peers; and all in one process at last; twice, since the first time fills the compile cache. */
export async function serviceStarts(say: (line: string) => void): Promise<ServiceStart[]> {
  const servers = await startServers({ nats: true, mongo: true, valkey: true });
  try {
    const starts: ServiceStart[] = [];
    for (const service of [...SERVICE_NAMES, "standalone" as const]) {
      const start = () => (service === "standalone" ? startStandaloneProcess(servers) : startAlone(service, servers));
      await startOnce(service, start);
      starts.push(await startOnce(service, start));
      say(`${service} is ready in ${starts.at(-1)?.readySeconds.toFixed(2)} s`);
    }
    return starts;
  } finally {
    await servers.stop();
  }
}

function startAlone(service: ServiceName, servers: TestServers): Promise<ServiceProcess> {
  const env = { OCEANCHAT_INSTANCE: `${service}-bench`, OCEANCHAT_WS_PORT: "0", OCEANCHAT_TCP_PORT: "0" };
  return startServiceProcess(service, servers, env);
}

async function startOnce(
  service: ServiceStart["service"],
  start: () => Promise<ServiceProcess>,
): Promise<ServiceStart> {
  const began = performance.now();
  const started = await start();
  const readySeconds = (performance.now() - began) / 1000;
  await sleep(IDLE_MS);
  const { processes } = await sampleUsage([{ name: service, pid: started.pid }]);
  await started.end();
  return { service, readySeconds, rssMiB: (processes[0]?.rssBytes ?? 0) / MIB };
}
