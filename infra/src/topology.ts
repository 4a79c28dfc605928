import { join } from "node:path";
import type { InfraConfig } from "./config.ts";
import type { Ports } from "./ports.ts";
import { HOST } from "./probe.ts";

type ServiceRow = {
  readonly instances: number;
  /** Has a door that Envoy may route to. */
  readonly public: boolean;
  /** Has a WebSocket and a TCP port. */
  readonly sockets: boolean;
  /** Stopped from the highest to the lowest: first whoever takes in work, last whoever is asked. */
  readonly tier: number;
  /** Flags of its node; `OCEANCHAT_NODE_FLAGS` come after them. */
  readonly nodeFlags?: readonly string[];
};

/** The one table of services. Each is the folder services/<name>; each has a mesh door. */
export const SERVICES = {
  auth: { instances: 1, public: true, sockets: false, tier: 0 },
  user: { instances: 1, public: true, sockets: false, tier: 0 },
  group: { instances: 1, public: true, sockets: false, tier: 0 },
  presence: { instances: 1, public: true, sockets: false, tier: 0 },
  query: { instances: 1, public: true, sockets: false, tier: 0 },
  "persistence-writer": { instances: 1, public: false, sockets: false, tier: 1 },
  orchestrator: { instances: 1, public: false, sockets: false, tier: 1 },
  "pusher-realtime": { instances: 1, public: false, sockets: false, tier: 1 },
  "pusher-offline": { instances: 1, public: true, sockets: false, tier: 1 },
  message: {
    instances: 1,
    public: true,
    sockets: false,
    tier: 2,
    // A tenth less CPU per append; the service's README has the figures, its start script the same flag.
    nodeFlags: ["--max-semi-space-size=32"],
  },
  router: { instances: 1, public: false, sockets: false, tier: 3 },
  // Two, so that delivery from one gateway to another is always exercised.
  "ws-gateway": {
    instances: 2,
    public: false,
    sockets: true,
    tier: 4,
    // A third of the memory per idle connection; the service's README has the figures, its start script the same flag.
    nodeFlags: ["--max-semi-space-size=8"],
  },
} as const satisfies Record<string, ServiceRow>;

/** Of the node that runs all of them. */
export const STANDALONE_NODE_FLAGS = ["--max-semi-space-size=16"];

export type ServiceName = keyof typeof SERVICES;

export const SERVICE_NAMES = Object.keys(SERVICES).filter((name): name is ServiceName => Object.hasOwn(SERVICES, name));

export type Door = "public" | "mesh" | "ws" | "tcp";
export type Instance = {
  readonly instance: string;
  readonly ports: Readonly<Partial<Record<Door, number>>>;
  /** The Unix socket of its WebSockets, where Envoy finds them. */
  readonly wsSocket?: string;
};
/** Every service's instances with their ports, also of those that are not started. */
export type Addresses = Readonly<Record<ServiceName, readonly Instance[]>>;

export type ServerUrls = { readonly nats: string; readonly redis: string; readonly mongodb: string };

function doorsOf(name: ServiceName): readonly Door[] {
  const row: ServiceRow = SERVICES[name];
  return [...(row.public ? (["public"] as const) : []), "mesh", ...(row.sockets ? (["ws", "tcp"] as const) : [])];
}

/** What the name of a Unix socket may have on every system, in bytes. */
const SOCKET_NAME_BYTES = 100;

/** Chooses a port for every door of every instance, and the gateways' Unix sockets if a folder for them is given. */
export async function assignAddresses(
  ports: Ports,
  instances: Partial<Readonly<Record<ServiceName, number>>>,
  socketFolder?: string,
): Promise<Addresses> {
  const result: Partial<Record<ServiceName, Instance[]>> = {};
  for (const name of SERVICE_NAMES) {
    const list: Instance[] = [];
    for (let number = 1; number <= (instances[name] ?? SERVICES[name].instances); number++) {
      const instance = `${name}-${number}`;
      const taken: Partial<Record<Door, number>> = {};
      for (const door of doorsOf(name)) taken[door] = await ports.take(`${instance}-${door}`);
      const wsSocket =
        SERVICES[name].sockets && socketFolder !== undefined ? join(socketFolder, `${instance}.sock`) : "";
      const fits = wsSocket !== "" && Buffer.byteLength(wsSocket) <= SOCKET_NAME_BYTES;
      list.push({ instance, ports: taken, ...(fits && { wsSocket }) });
    }
    result[name] = list;
  }
  return complete(result);
}

function complete(addresses: Partial<Record<ServiceName, Instance[]>>): Addresses {
  const entries = SERVICE_NAMES.map((name) => [name, addresses[name] ?? []] as const);
  return Object.fromEntries(entries) as Record<ServiceName, Instance[]>;
}

/** host:port of one door of every instance. */
export function addressesOf(addresses: Addresses, name: ServiceName, door: Door): string[] {
  return addresses[name].flatMap(({ ports }) => (ports[door] === undefined ? [] : `${HOST}:${ports[door]}`));
}

/** Where Envoy finds WebSockets: a Unix socket costs gateway and Envoy half of what a TCP connection does. */
export function webSocketDoors(addresses: Addresses): string[] {
  return addresses["ws-gateway"].flatMap(({ ports: { ws }, wsSocket }) =>
    ws === undefined ? [] : (wsSocket ?? `${HOST}:${ws}`),
  );
}

/** The environment of one process: its own ports, the servers, and the mesh address of every service. */
export function environmentOf(
  { instance, ports, wsSocket }: Instance,
  addresses: Addresses,
  servers: ServerUrls,
  config: InfraConfig,
): Record<string, string> {
  const env: Record<string, string> = { OCEANCHAT_INSTANCE: instance, ...serversAndSockets(ports, servers, config) };
  if (wsSocket !== undefined) env.OCEANCHAT_WS_SOCKET = wsSocket;
  for (const [door, port] of Object.entries(ports)) env[`OCEANCHAT_${constantCase(door)}_PORT`] = String(port);
  for (const name of SERVICE_NAMES) {
    env[`OCEANCHAT_${constantCase(name)}_ADDRESSES`] = addressesOf(addresses, name, "mesh").join(",");
  }
  return env;
}

/** The environment of all services in one process: each one's ports, the gateway's sockets, and the servers. */
export function standaloneEnvironment(
  addresses: Addresses,
  servers: ServerUrls,
  config: InfraConfig,
): Record<string, string> {
  const [gateway] = addresses["ws-gateway"];
  const { mesh: _, ...sockets } = gateway?.ports ?? {};
  const env: Record<string, string> = { OCEANCHAT_INSTANCE: "1", ...serversAndSockets(sockets, servers, config) };
  if (gateway?.wsSocket !== undefined) env.OCEANCHAT_WS_SOCKET = gateway.wsSocket;
  for (const [door, port] of Object.entries(sockets)) env[`OCEANCHAT_${constantCase(door)}_PORT`] = String(port);
  for (const name of SERVICE_NAMES) {
    for (const door of ["public", "mesh"] as const) {
      const port = addresses[name][0]?.ports[door];
      if (port !== undefined) env[`OCEANCHAT_${constantCase(name)}_${constantCase(door)}_PORT`] = String(port);
    }
  }
  return env;
}

/** What of a thousand that the server takes: a few milliseconds each. */
const SYNCED_BATCH_RECORDS = "256";

function serversAndSockets(
  { ws, tcp }: Instance["ports"],
  servers: ServerUrls,
  config: InfraConfig,
): Record<string, string> {
  return {
    OCEANCHAT_LISTEN_HOST: HOST,
    OCEANCHAT_NATS_URL: servers.nats,
    OCEANCHAT_REDIS_URL: servers.redis,
    OCEANCHAT_MONGODB_URL: servers.mongodb,
    OCEANCHAT_MONGODB_DATABASE: config.mongodbDatabase,
    OCEANCHAT_LOG_LEVEL: config.logLevel,
    // A batch is synced to disk once.
    ...(config.natsSyncInterval === "always" && {
      OCEANCHAT_MESSAGE_BATCH_RECORDS: config.inherited.OCEANCHAT_MESSAGE_BATCH_RECORDS ?? SYNCED_BATCH_RECORDS,
    }),
    ...(ws !== undefined && { OCEANCHAT_ADVERTISED_HOST: HOST }),
    // Envoy says who connects; here everybody has the same address, load generators too.
    ...(tcp !== undefined && { OCEANCHAT_TCP_PROXY_PROTOCOL: "v2", OCEANCHAT_MAX_CONNECTIONS_PER_ADDRESS: "0" }),
  };
}

const constantCase = (name: string): string => name.toUpperCase().replaceAll("-", "_");

/** The flags that a service's node runs with. */
export function nodeFlagsOf(name: ServiceName, { nodeFlags }: Pick<InfraConfig, "nodeFlags">): string[] {
  const row: ServiceRow = SERVICES[name];
  return [...(row.nodeFlags ?? []), ...nodeFlags];
}

/** Groups of instances in the order in which they are stopped. */
export function stopOrder(addresses: Addresses): string[][] {
  const tiers = [...new Set(SERVICE_NAMES.map((name) => SERVICES[name].tier))].sort((a, b) => b - a);
  return tiers.map((tier) =>
    SERVICE_NAMES.filter((name) => SERVICES[name].tier === tier).flatMap((name) =>
      addresses[name].map(({ instance }) => instance),
    ),
  );
}
