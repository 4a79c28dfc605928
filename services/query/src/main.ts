import { QueryMeshService } from "@oceanchat/gen/oceanchat/query/v1/query_mesh_service_pb";
import { QueryService } from "@oceanchat/gen/oceanchat/query/v1/query_service_pb";
import { LogEntrySchema } from "@oceanchat/gen/oceanchat/records/v1/log_pb";
import { readConfig } from "@oceanchat/runtime/config";
import { implement } from "@oceanchat/runtime/handlers";
import type { Host } from "@oceanchat/runtime/host";
import { mongoOptions } from "@oceanchat/runtime/mongo";
import { runProcess } from "@oceanchat/runtime/process";
import { openLog } from "./bus.ts";
import { queryKeys } from "./config.ts";
import { listConversations } from "./core/lists.ts";
import { sync } from "./core/sync.ts";
import { createQueryCore } from "./core.ts";
import { patienceOf } from "./patience.ts";
import { openPeers } from "./peers.ts";
import { followLog } from "./recent.ts";
import { type Lister, queryHandlers, queryMeshHandlers, type Syncer } from "./service.ts";
import { openStore } from "./store.ts";
import { openTail } from "./tail.ts";
import { Turns } from "./turns.ts";

/** Below what a router waits for an answer, with room for the call itself. */
const SYNC_TURNS = { apartMs: 20, maxWaiting: 4096, maxWaitMs: 2_000 };

/** Starts query. */
export async function start(host: Host): Promise<void> {
  const config = readConfig(queryKeys, host.env);
  const store = await openStore(mongoOptions(host, config));
  host.defer("store", () => store.close());
  const tail = openTail(config.redisUrl, host.log);
  host.defer("tail", () => tail.close());
  const bus = await host.bus(config.natsUrl);
  await bus.ensureStream(LogEntrySchema);
  const peers = await openPeers(host, config);
  const log = openLog(bus);
  const reading = { store, tail, log, peers, patience: patienceOf(config.storeWaitMs) };
  const core = createQueryCore(reading);
  const recent = followLog(bus, { maxLogs: config.recentLogs, waitMs: config.recentWaitMs, log: host.log });
  host.defer("recent", () => recent.stop());
  const { describe } = core;
  const listing = { ...reading, moves: store, recent, describe };
  const lister: Lister = (userId, request) => listConversations(listing, userId, request);
  const syncing = { ...listing, now: host.now, cursorMaxAgeMs: config.syncMaxAgeMs };
  const turns = new Turns({
    ...SYNC_TURNS,
    atOnce: config.syncsAtOnce,
    now: () => performance.now(),
    after: (ms, run) => void setTimeout(run, ms),
  });
  const syncer: Syncer = (userId, request) => turns.run(userId, () => sync(syncing, userId, request));
  await host.serve({
    public: [implement(QueryService, queryHandlers(core, lister, syncer))],
    mesh: [implement(QueryMeshService, queryMeshHandlers(syncer, host.tracing))],
    verify: host.tokenVerifier(peers.signingKeys),
  });
}

if (import.meta.main) await runProcess("query", queryKeys, start);
