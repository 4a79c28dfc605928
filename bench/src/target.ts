import { existsSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { loadInfraConfig, type Mode } from "@oceanchat/infra/config";
import type { Endpoints } from "@oceanchat/infra/endpoints";
import { layoutOf } from "@oceanchat/infra/layout";
import { parseIdentity } from "@oceanchat/infra/process-identity";
import { startMesh } from "@oceanchat/infra/supervisor";
import type { Scenario } from "./scenario.ts";
import type { ProcessRef } from "./usage.ts";

/** The system under load. */
export interface Target {
  /** A process per service, or one for all of them. */
  readonly mode: Mode;
  /** Where REST calls go. */
  readonly edge: string;
  /** WebSocket URL of the edge. */
  readonly ws: string;
  /** WebSocket URLs of the gateways themselves. */
  readonly gateways: readonly string[];
  /** Their mesh doors. */
  readonly gatewayMeshes: readonly string[];
  /** The edge's port for TCP with TLS, and the certificate to trust. */
  readonly tcp: string;
  readonly certificate: string;
  readonly nats: string;
  readonly mongodb: string;
  /** The database in it. */
  readonly database: string;
  /** Kills a process, which is started again; undefined where the mesh is somebody else's. */
  readonly kill: ((instance: string) => Promise<void>) | undefined;
  /** Which program keeps the records: mongod, secantusd-rs (fast) or secantusd-py (embedded). */
  readonly store: string;
  /** Its processes, servers and edge included, and this one. */
  processes(): Promise<ProcessRef[]>;
  /** Ends what was started for this measurement; `now` does not wait for anybody. */
  stop(now?: boolean): Promise<void>;
}

/**
 * What a mesh of the bench allows one client, beside the defaults: a single writer to a group makes as many messages as the system can
 * deliver, which nobody may do elsewhere.
 */
const LIMITS = {
  OCEANCHAT_USER_PACKETS_PER_SECOND: "10000",
  OCEANCHAT_USER_PACKETS_BURST: "20000",
  OCEANCHAT_CONNECTION_PACKETS_PER_SECOND: "10000",
  OCEANCHAT_CONNECTION_PACKETS_BURST: "20000",
  OCEANCHAT_CONNECTION_BYTES_PER_SECOND: String(64 * 1024 * 1024),
  OCEANCHAT_CONNECTION_BYTES_BURST: String(64 * 1024 * 1024),
};

const STORES = /mongod|secantusd-\w+/;

/** How the services of a target run that is to be started, or of the running one that the file names. */
export async function modeOf({
  endpoints,
  mode,
}: {
  endpoints: string | undefined;
  mode: Mode | undefined;
}): Promise<Mode> {
  return endpoints === undefined ? (mode ?? loadInfraConfig(process.env).mode) : (await readEndpoints(endpoints)).mode;
}

const readEndpoints = async (file: string): Promise<Endpoints> => JSON.parse(await readFile(file, "utf8"));

export interface TargetOptions {
  readonly otlpUrl: string | undefined;
  readonly natsSyncInterval: string;
  readonly environment: Scenario["environment"];
  readonly mode: Mode;
}

/**
 * Starts a mesh of its own: free ports, data in a temporary folder that is removed at the end. It takes the fast store if `make
 * infra-fast` has built it and the environment names no other. Spans go to `otlpUrl`;
 * `natsSyncInterval` is NATS' own, as the environment says where it is ""; `environment` is what services are told beside.
 */
export async function startTarget(
  { otlpUrl, natsSyncInterval, environment, mode }: TargetOptions,
  onStop: (stop: Target["stop"]) => void,
): Promise<Target> {
  const dataDir = await mkdtemp(join(tmpdir(), "oceanchat-bench-"));
  let ends: { gently(): Promise<void>; force(): Promise<void> } | undefined;
  const stop = async (now = false): Promise<void> => {
    await (now ? ends?.force() : ends?.gently());
    await rm(dataDir, { recursive: true, force: true });
  };
  onStop(stop);
  process.env.OCEANCHAT_STORE ??= existsSync(join(layoutOf().cargo, "bin/secantusd-rs")) ? "fast" : "embedded";
  const syncBefore = process.env.OCEANCHAT_NATS_SYNC_INTERVAL;
  if (natsSyncInterval !== "") process.env.OCEANCHAT_NATS_SYNC_INTERVAL = natsSyncInterval;
  const mesh = await startMesh({
    dataDir,
    ports: "free",
    quiet: true,
    mode,
    env: {
      all: { ...LIMITS, ...environment, ...(otlpUrl === undefined ? {} : { OTEL_EXPORTER_OTLP_ENDPOINT: otlpUrl }) },
    },
    onStop: (given) => {
      ends = given;
    },
  });
  if (syncBefore === undefined) delete process.env.OCEANCHAT_NATS_SYNC_INTERVAL;
  else process.env.OCEANCHAT_NATS_SYNC_INTERVAL = syncBefore;
  return targetOf(mesh.endpoints, join(dataDir, "run"), {
    stop,
    kill: async (instance) => {
      await mesh.kill(instance);
    },
  });
}

/** Takes a mesh that runs already, by its endpoints.json. */
export async function runningTarget(file: string): Promise<Target> {
  const endpoints = await readEndpoints(file);
  // `make up` writes its data one folder below, every other supervisor beside the file.
  const folders = [join(dirname(file), "run"), join(dirname(file), "data/run")];
  const present = await Promise.all(
    folders.map(async (folder) => ((await pidFiles(folder)).length > 0 ? folder : undefined)),
  );
  const run = present.find((folder) => folder !== undefined);
  if (run === undefined) throw new Error(`${file}: none of ${folders.join(", ")} names running processes`);
  return targetOf(endpoints, run, { stop: async () => undefined, kill: undefined });
}

async function targetOf(endpoints: Endpoints, runFolder: string, ends: Pick<Target, "stop" | "kill">): Promise<Target> {
  const store = (await processesIn(runFolder)).find(({ name }) => name === "mongodb");
  const command = store === undefined ? "" : await unlessMissing(readFile(`/proc/${store.pid}/cmdline`, "latin1"), "");
  return {
    mode: endpoints.mode,
    edge: endpoints.edge,
    ws: endpoints.ws,
    gateways: endpoints.services["ws-gateway"].flatMap(({ ws }) => (ws === undefined ? [] : `ws://${ws}/ws`)),
    gatewayMeshes: endpoints.services["ws-gateway"].map(({ mesh }) => mesh),
    tcp: endpoints.tcp,
    certificate: endpoints.certificate,
    nats: endpoints.infra.nats,
    store: STORES.exec(command)?.[0] ?? "unknown",
    mongodb: endpoints.infra.mongodb,
    database: process.env.OCEANCHAT_MONGODB_DATABASE || "oceanchat",
    processes: () => processesIn(runFolder),
    ...ends,
  };
}

async function processesIn(runFolder: string): Promise<ProcessRef[]> {
  const refs = await Promise.all((await pidFiles(runFolder)).map((file) => processIn(runFolder, file)));
  return [...refs.flatMap((ref) => ref ?? []), { name: "generator", pid: process.pid }];
}

async function processIn(runFolder: string, file: string): Promise<ProcessRef | undefined> {
  const line = await unlessMissing(readFile(join(runFolder, file), "utf8"), "");
  const identity = parseIdentity(line);
  return identity && { name: file.slice(0, -".pid".length), pid: identity.pid };
}

async function pidFiles(folder: string): Promise<string[]> {
  return (await unlessMissing(readdir(folder), [])).filter((name) => name.endsWith(".pid")).sort();
}

async function unlessMissing<T>(reading: Promise<T>, otherwise: T): Promise<T> {
  try {
    return await reading;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return otherwise;
    throw error;
  }
}
