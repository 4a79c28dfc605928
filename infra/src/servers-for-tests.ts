import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadInfraConfig } from "./config.ts";
import { layoutOf } from "./layout.ts";
import { Ports } from "./ports.ts";
import { Processes } from "./processes.ts";
import { planServers } from "./server-plan.ts";
import { SERVER_NAMES, type ServerName } from "./servers.ts";
import { createStatus } from "./status.ts";

export type StartServersOptions = {
  /** Which ones; default none. */
  readonly nats?: boolean;
  readonly valkey?: boolean;
  readonly mongo?: boolean;
  /** Default: a new temporary folder, which stop() removes. */
  readonly dataDir?: string;
  /** NATS `sync_interval`, e.g. "always". Default: the server's own (2 min). */
  readonly natsSyncInterval?: string;
};

export type TestServers = {
  /** "" for a server that was not asked for. */
  readonly natsUrl: string;
  readonly redisUrl: string;
  readonly mongodbUrl: string;
  /** Default SIGKILL; resolves when it has gone. It is started again with the same port and data. */
  kill(name: ServerName, signal?: NodeJS.Signals): Promise<void>;
  /** Resolves when that one (or all) answers again. */
  untilReady(name?: ServerName): Promise<void>;
  /** Path of its log. */
  logs(name: ServerName): string;
  /** Ends all of them; removes the data folder unless it was given. */
  stop(): Promise<void>;
};

/** Starts real servers on free ports, always the pinned ones, for the integration tests of a service. */
export async function startServers(options: StartServersOptions): Promise<TestServers> {
  const loaded = loadInfraConfig(process.env);
  const config = { ...loaded, natsSyncInterval: options.natsSyncInterval ?? loaded.natsSyncInterval };
  const wanted: Record<ServerName, boolean | undefined> = {
    nats: options.nats,
    valkey: options.valkey,
    mongodb: options.mongo,
  };
  const names = SERVER_NAMES.filter((name) => wanted[name] === true);
  const dataDir = options.dataDir ?? (await mkdtemp(join(tmpdir(), "oceanchat-")));
  const status = createStatus(true, (text) => process.stderr.write(text));
  const ports = new Ports(join(dataDir, "ports.json"));
  const processes = await Processes.open({ dataDir, status });
  const stop = async (): Promise<void> => {
    await processes.close();
    await ports.release();
    if (options.dataDir === undefined) await rm(dataDir, { recursive: true, force: true });
  };
  try {
    const plan = await planServers(names, false, {
      layout: layoutOf(),
      config,
      dataDir,
      ports,
      servers: "pinned",
      status,
    });
    await ports.save();
    await processes.start([...plan.servers.values()].flatMap(({ spec }) => spec ?? []));
    const url = (name: ServerName): string => plan.servers.get(name)?.url ?? "";
    return {
      natsUrl: url("nats"),
      redisUrl: url("valkey"),
      mongodbUrl: url("mongodb"),
      kill: async (name, signal = "SIGKILL") => processes.get(name).kill(signal),
      untilReady: (name) => processes.untilReady(name),
      logs: (name) => processes.get(name).spec.logFile,
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}
