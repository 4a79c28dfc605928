import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type JetStreamManager, jetstreamManager } from "@nats-io/jetstream";
import { connect as connectNats } from "@nats-io/transport-node";
import { MessageMeshService } from "@oceanchat/gen/oceanchat/message/v1/message_mesh_service_pb";
import { startServers, type TestServers } from "@oceanchat/infra/servers-for-tests";
import { type Mesh, startMesh } from "@oceanchat/infra/supervisor";
import { parseAddresses } from "@oceanchat/runtime/addresses";
import type { Bus } from "@oceanchat/runtime/bus-types";
import type { Calls } from "@oceanchat/runtime/calls";
import type { RunningHost } from "@oceanchat/runtime/host";
import { testHost } from "@oceanchat/runtime/testing";
import { MongoClient } from "mongodb";

/** How long an answer of message is waited for, in milliseconds: longer than it tries itself. */
const ANSWER_MS = 8_000;

/** The processes that may be killed at any time. */
export const VICTIMS = ["message-1", "message-2", "persistence-writer-1", "persistence-writer-2", "query-1"] as const;

/**
 * What writes, stores and reads the log, as processes on real servers: two instances of message and of persistence-writer, query,
 * and those whom they ask. The message store is a server of its own, so that it can be stopped without the others' data.
 */
export interface LogMesh {
  readonly mesh: Mesh;
  readonly bus: Bus;
  /** The message store's server. */
  readonly storeServer: TestServers;
  readonly mongo: MongoClient;
  readonly jsm: JetStreamManager;
  /** Commands as a router hands them on; in their order for each address. */
  readonly commands: Calls<typeof MessageMeshService.method.dispatch>;
  /** The mesh doors of the instances of message. */
  readonly writers: readonly string[];
  /** host:port of a service's public door. */
  publicPort(service: "auth" | "group" | "message" | "query"): number;
  stop(): Promise<void>;
}

/** Starts it; the caller stops it. */
export async function startLogMesh(): Promise<LogMesh> {
  const dataDir = await mkdtemp(join(tmpdir(), "oceanchat-log-"));
  const undo: (() => Promise<unknown>)[] = [() => rm(dataDir, { recursive: true, force: true })];
  const stop = async () => {
    for (const each of undo.splice(0).reverse()) await each();
  };
  try {
    const storeServer = await startServers({ mongo: true });
    undo.push(() => storeServer.stop());
    const store = { OCEANCHAT_MONGODB_URL: storeServer.mongodbUrl };
    const mesh = await startMesh({
      dataDir,
      ports: "free",
      quiet: true,
      only: ["auth", "user", "group", "message", "persistence-writer", "query"],
      mode: "mesh",
      instances: { message: 2, "persistence-writer": 2 },
      env: { message: store, "persistence-writer": store, query: store },
    });
    undo.push(() => mesh.stop());
    const mongo = await MongoClient.connect(storeServer.mongodbUrl, { useBigInt64: true });
    undo.push(() => mongo.close());
    const nats = await connectNats({ servers: mesh.endpoints.infra.nats, maxReconnectAttempts: -1 });
    undo.push(() => nats.close());
    const jsm = await jetstreamManager(nats);
    const host = testHost("test");
    undo.push(() => host.stop());
    return { ...(await connect(mesh, host)), mesh, storeServer, mongo, jsm, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function connect(mesh: Mesh, host: RunningHost) {
  const bus = await host.bus(mesh.endpoints.infra.nats);
  const writers = mesh.endpoints.services.message.map((instance) => instance.mesh);
  const commands = await host.calls(MessageMeshService.method.dispatch, parseAddresses(writers.join()), {
    timeoutMs: ANSWER_MS,
    maxInFlight: 4096,
  });
  return {
    bus,
    writers,
    commands,
    publicPort: (service: "auth" | "group" | "message" | "query") => {
      const address = mesh.endpoints.services[service][0]?.public;
      if (address === undefined) throw new Error(`${service} has no public door`);
      return Number(address.split(":").at(-1));
    },
  };
}
