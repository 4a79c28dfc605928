import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { nodeEnvironment } from "@oceanchat/infra/node-environment";
import type { TestServers } from "@oceanchat/infra/servers-for-tests";
import { nodeFlagsOf, type ServiceName } from "@oceanchat/infra/topology";

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
  const main = fileURLToPath(new URL(`../../../services/${service}/src/main.ts`, import.meta.url));
  const child = spawn(process.execPath, [...process.execArgv, ...nodeFlagsOf(service, { nodeFlags: [] }), main], {
    env: {
      ...process.env,
      ...nodeEnvironment(),
      OCEANCHAT_NATS_URL: natsUrl,
      OCEANCHAT_MONGODB_URL: mongodbUrl,
      OCEANCHAT_REDIS_URL: redisUrl,
      OCEANCHAT_LISTEN_HOST: "127.0.0.1",
      OCEANCHAT_PUBLIC_PORT: "0",
      OCEANCHAT_MESH_PORT: "0",
      ...env,
    },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const serving = await new Promise<string>((resolve, reject) => {
    child.once("exit", (code) => reject(new Error(`${service} ended with ${code}`)));
    createInterface({ input: child.stdout }).on("line", (line) => line.includes('"msg":"serving"') && resolve(line));
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
