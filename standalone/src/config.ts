import { availableParallelism } from "node:os";
import { type Env, integer, type Key, type Keys, readConfig, text } from "@oceanchat/runtime/config";
import { processKeys } from "@oceanchat/runtime/process-config";

/** What of a service its environment depends on. */
export interface Described {
  readonly name: string;
  readonly keys: Keys;
  readonly public: boolean;
}

/** The doors of the first service; those of the others follow. */
const FIRST_PUBLIC_PORT = 8101;
const FIRST_MESH_PORT = 8201;
/** Hashing takes threads that everything else needs too; Node has four. */
const MAX_HASHES = 3;
const HASHES = "OCEANCHAT_PASSWORD_HASHES_AT_ONCE";

const { publicPort, meshPort, drainDelayMs, ...common } = processKeys;
/** Keys of services that this process decides by itself. */
const DERIVED = /_ADDRESSES$|^OCEANCHAT_ADVERTISED_HOST$/;

const ownKeys = {
  ...common,
  instance: text(
    "OCEANCHAT_INSTANCE",
    "The end of the services' names in logs: auth-<this>, user-<this> and so on.",
    "local",
  ),
  listenHost: text(
    "OCEANCHAT_LISTEN_HOST",
    "The address that all doors listen on, those too that nobody but this process should reach.",
    "127.0.0.1",
  ),
} as const;

/** Everything that the process can be told: its own keys and the services', but for what is derived. */
export function keysOf(services: readonly Described[]): Keys {
  const all = services.flatMap(({ keys }) => Object.values(keys)).filter(({ name }) => !DERIVED.test(name));
  const ports = [...portsOf(services).values()].flatMap(({ mesh, publicDoor }) => [publicDoor ?? [], mesh].flat());
  return Object.fromEntries([...Object.values(ownKeys), ...ports, ...all].map((key) => [key.name, key]));
}

/** The environment of each service: the process's, its own doors, and where the others' are. */
export function environmentsOf(services: readonly Described[], env: Env): Map<string, Env> {
  const { instance, listenHost } = readConfig(ownKeys, env);
  const ports = portsOf(services);
  const reached = reachedAt(listenHost);
  const read = (key: Key<number>) => String(readConfig({ key }, env).key);
  const shared: Record<string, string | undefined> = {
    ...env,
    OCEANCHAT_LISTEN_HOST: listenHost,
    OCEANCHAT_ADVERTISED_HOST: reached,
    // Nobody else takes over meanwhile.
    OCEANCHAT_DRAIN_DELAY_MS: "0",
    [HASHES]: env[HASHES] || String(Math.min(availableParallelism(), MAX_HASHES)),
  };
  for (const [name, { mesh }] of ports) shared[`${constantCase(name)}_ADDRESSES`] = `${reached}:${read(mesh)}`;
  return new Map(
    [...ports].map(([name, { mesh, publicDoor }]) => {
      const own: Record<string, string> = { OCEANCHAT_INSTANCE: `${name}-${instance}` };
      own.OCEANCHAT_MESH_PORT = read(mesh);
      if (publicDoor !== undefined) own.OCEANCHAT_PUBLIC_PORT = read(publicDoor);
      return [name, { ...shared, ...own }];
    }),
  );
}

interface Ports {
  readonly mesh: Key<number>;
  readonly publicDoor: Key<number> | undefined;
}

function portsOf(services: readonly Described[]): Map<string, Ports> {
  const key = (name: string, door: "PUBLIC" | "MESH", fallback: number) =>
    integer(
      `${constantCase(name)}_${door}_PORT`,
      `The port of ${name}'s ${door.toLowerCase()} door.`,
      fallback,
      1,
      65535,
    );
  return new Map(
    services.map(({ name, public: open }, index) => [
      name,
      {
        mesh: key(name, "MESH", FIRST_MESH_PORT + index),
        publicDoor: open ? key(name, "PUBLIC", FIRST_PUBLIC_PORT + index) : undefined,
      },
    ]),
  );
}

/** How the process reaches itself. */
function reachedAt(listenHost: string): string {
  if (listenHost === "0.0.0.0" || listenHost === "::") return "127.0.0.1";
  return listenHost.includes(":") ? `[${listenHost}]` : listenHost;
}

const constantCase = (name: string): string => `OCEANCHAT_${name.toUpperCase().replaceAll("-", "_")}`;
