import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { ChildSpec } from "./child.ts";
import type { InfraConfig } from "./config.ts";
import type { Ports } from "./ports.ts";
import { HOST, natsProbe, type Probe, redisProbe, tcpProbe } from "./probe.ts";
import type { Tool } from "./tools.ts";

export type ServerName = "nats" | "valkey" | "mongodb";
export const SERVER_NAMES: readonly ServerName[] = ["nats", "valkey", "mongodb"];

/** A server we start, or (without a spec) one that somebody else runs. */
export type Server = { readonly url: string; readonly spec: ChildSpec | undefined };

export type ServerOptions = {
  readonly dataDir: string;
  readonly ports: Ports;
  readonly config: InfraConfig;
};

/** nats-server with JetStream; state in <dataDir>/nats. */
export async function natsServer(tool: Tool, options: ServerOptions): Promise<Server> {
  const { dataDir, config } = options;
  const port = await options.ports.take("nats");
  const monitor = await options.ports.take("nats-monitor");
  const file = join(dataDir, "nats/nats.conf");
  const sync = config.natsSyncInterval === undefined ? "" : `  sync_interval: ${config.natsSyncInterval}\n`;
  const lines = [
    `server_name: oceanchat`,
    `listen: "${HOST}:${port}"`,
    `http: "${HOST}:${monitor}"`,
    "max_payload: 1MB",
    `jetstream {\n  store_dir: ${JSON.stringify(join(dataDir, "nats"))}\n${sync}}`,
  ];
  await write(file, `${lines.join("\n")}\n`);
  const spec = specOf("nats", tool, ["--config", file], { nats: port, monitor }, natsProbe(port), options);
  return { url: `nats://${HOST}:${port}`, spec };
}

/** Valkey or Redis, without persistence: everything in it can be made again. */
export async function valkeyServer(tool: Tool, options: ServerOptions): Promise<Server> {
  const port = await options.ports.take("valkey");
  const folder = join(options.dataDir, "valkey");
  await mkdir(folder, { recursive: true });
  const args = ["--port", String(port), "--bind", HOST, "--dir", folder, "--save", "", "--appendonly", "no"];
  return {
    url: `redis://${HOST}:${port}`,
    spec: specOf("valkey", tool, args, { redis: port }, redisProbe(port), options),
  };
}

/** MongoDB, or SecantusDB, which speaks its protocol; state in <dataDir>/mongodb. */
export async function mongodbServer(tool: Tool, options: ServerOptions): Promise<Server> {
  const port = await options.ports.take("mongodb");
  const folder = join(options.dataDir, "mongodb");
  await mkdir(folder, { recursive: true });
  const args = await mongodbArguments(tool, port, folder);
  return {
    url: `mongodb://${HOST}:${port}/?directConnection=true`,
    spec: specOf("mongodb", tool, args, { mongodb: port }, tcpProbe(port), options),
  };
}

async function mongodbArguments(tool: Tool, port: number, folder: string): Promise<string[]> {
  if (tool.name === "mongod") return ["--port", String(port), "--bind_ip", HOST, "--dbpath", folder, "--quiet"];
  // Naming a configuration file keeps the server from picking up one of the user's.
  const config = join(folder, "..", "secantusd.toml");
  await write(config, "");
  // Without --sync-on-commit a SIGKILL loses acknowledged documents.
  return [
    ...["--config", config, "--host", HOST, "--port", String(port), "--storage-path", folder],
    ...["--sync-on-commit", "--cache-size", "256M", "--log-level", "WARNING"],
  ];
}

function specOf(
  instance: ServerName,
  tool: Tool,
  args: string[],
  ports: Record<string, number>,
  ready: Probe,
  { dataDir, config }: ServerOptions,
): ChildSpec {
  const logFile = join(dataDir, "logs", `${instance}.log`);
  return { instance, command: tool.command, args, env: config.inherited, cwd: dataDir, ports, ready, logFile };
}

/** A server that somebody else runs: it must be reachable now. */
export async function externalServer(variable: string, url: string): Promise<Server> {
  // A list of hosts (NATS, replica set) is a valid URL for the drivers, not for URL: the first one is asked.
  const first = (url.split(",")[0] ?? url).replace(/\/.*@/, "//");
  const { hostname, port, protocol } = new URL(first);
  const fallback = protocol.startsWith("mongodb") ? "27017" : protocol.startsWith("redis") ? "6379" : "4222";
  if (protocol === "mongodb+srv:") return { url, spec: undefined };
  try {
    await tcpProbe(Number(port || fallback), hostname)(AbortSignal.timeout(5_000));
  } catch (error) {
    throw new Error(`${variable}: nothing answers at ${hostname}:${port || fallback}`, { cause: error });
  }
  return { url, spec: undefined };
}

async function write(file: string, content: string): Promise<void> {
  await mkdir(join(file, ".."), { recursive: true });
  await writeFile(file, content);
}
