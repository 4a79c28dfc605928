import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { loadInfraConfig } from "@oceanchat/infra/config";
import { layoutOf } from "@oceanchat/infra/layout";
import { nodeEnvironment } from "@oceanchat/infra/node-environment";
import { Ports } from "@oceanchat/infra/ports";
import type { TestServers } from "@oceanchat/infra/servers-for-tests";
import {
  assignAddresses,
  nodeFlagsOf,
  type ServiceName,
  STANDALONE_NODE_FLAGS,
  standaloneEnvironment,
} from "@oceanchat/infra/topology";

/** A service's own process, as it runs anywhere. */
export interface ServiceProcess {
  readonly pid: number;
  /** 0 when it has no public door. */
  readonly publicPort: number;
  readonly meshPort: number;
  end(): Promise<void>;
}

/**
 * Starts a service over these servers, on free ports, and waits until it serves. What this process was started with (`--cpu-prof`)
 * goes for it, too.
 */
export async function startServiceProcess(
  service: ServiceName,
  { natsUrl, mongodbUrl, redisUrl }: TestServers,
  env: Readonly<Record<string, string>>,
): Promise<ServiceProcess> {
  return startNode([...nodeFlagsOf(service, { nodeFlags: [] }), layoutOf().service(service)], service, {
    OCEANCHAT_NATS_URL: natsUrl,
    OCEANCHAT_MONGODB_URL: mongodbUrl,
    OCEANCHAT_REDIS_URL: redisUrl,
    OCEANCHAT_LISTEN_HOST: "127.0.0.1",
    OCEANCHAT_PUBLIC_PORT: "0",
    OCEANCHAT_MESH_PORT: "0",
    ...env,
  });
}

/** Starts all services in one process likewise; the last of them is the gateway. */
export async function startStandaloneProcess(servers: TestServers): Promise<ServiceProcess> {
  const ports = new Ports();
  const addresses = await assignAddresses(ports, { "ws-gateway": 1 });
  const urls = { nats: servers.natsUrl, redis: servers.redisUrl, mongodb: servers.mongodbUrl };
  const env = standaloneEnvironment(addresses, urls, loadInfraConfig(process.env));
  const started = await startNode([...STANDALONE_NODE_FLAGS, layoutOf().standalone], "ws-gateway", env);
  return { ...started, end: () => started.end().finally(() => ports.release()) };
}

/** `last`: which service's word it waits for. */
async function startNode(
  args: readonly string[],
  last: ServiceName,
  env: Readonly<Record<string, string>>,
): Promise<ServiceProcess> {
  const child = spawn(process.execPath, [...process.execArgv, ...args], {
    env: { ...process.env, ...nodeEnvironment(), ...env },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const isReady = (line: string) => line.includes('"msg":"serving"') && line.includes(`"service":"${last}"`);
  const serving = await new Promise<string>((resolve, reject) => {
    child.once("exit", (code) => reject(new Error(`${last} ended with ${code}`)));
    createInterface({ input: child.stdout }).on("line", (line) => isReady(line) && resolve(line));
  });
  const portOf = (door: string) => Number(new RegExp(`"${door}":(\\d+)`).exec(serving)?.[1] ?? 0);
  return {
    pid: child.pid ?? 0,
    publicPort: portOf("publicPort"),
    meshPort: portOf("meshPort"),
    async end() {
      const gone = once(child, "close");
      child.kill();
      await gone;
    },
  };
}
