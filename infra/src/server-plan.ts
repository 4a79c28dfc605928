import type { InfraConfig } from "./config.ts";
import type { Layout } from "./layout.ts";
import type { Ports } from "./ports.ts";
import { externalServer, mongodbServer, natsServer, type Server, type ServerName, valkeyServer } from "./servers.ts";
import type { Status } from "./status.ts";
import { findTools, type Role, type Tool } from "./tools.ts";

export type ServerPlanOptions = {
  readonly layout: Layout;
  readonly config: InfraConfig;
  readonly dataDir: string;
  readonly ports: Ports;
  readonly servers: "pinned" | "any";
  readonly status: Status;
};

export type ServerPlan = {
  readonly servers: ReadonlyMap<ServerName, Server>;
  /** Envoy's program, when it was asked for. */
  readonly envoy: Tool | undefined;
};

const VARIABLE: Readonly<Record<ServerName, string>> = {
  nats: "NATS_URL",
  valkey: "REDIS_URL",
  mongodb: "MONGODB_URL",
};

/** Decides for each server: run by somebody else, or which program with which arguments. */
export async function planServers(
  names: readonly ServerName[],
  envoy: boolean,
  options: ServerPlanOptions,
): Promise<ServerPlan> {
  const { layout, config, servers, status } = options;
  const external = new Map(names.flatMap((name) => externalUrl(name, options)));
  const ours = names.filter((name) => !external.has(name));
  const roles: Role[] = envoy ? [...ours, "envoy"] : ours;
  const tools = await findTools(roles, { layout, config, servers, say: status.say });
  const planned = new Map<ServerName, Server>();
  for (const [name, url] of external) {
    planned.set(name, await externalServer(VARIABLE[name], url));
    status.say(`• ${name.padEnd(20)} ${VARIABLE[name]} is given, none is started`);
  }
  for (const name of ours) {
    const make = { nats: natsServer, valkey: valkeyServer, mongodb: mongodbServer }[name];
    planned.set(name, await make(tools[name], options));
  }
  return { servers: planned, envoy: envoy ? tools.envoy : undefined };
}

function externalUrl(name: ServerName, { config, servers }: ServerPlanOptions): [ServerName, string][] {
  if (servers === "pinned") return [];
  const url = { nats: config.natsUrl, valkey: config.redisUrl, mongodb: config.mongodbUrl }[name];
  return url === undefined ? [] : [[name, url]];
}
