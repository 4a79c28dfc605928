import { QueryService } from "@oceanchat/gen/oceanchat/query/v1/query_service_pb";
import { LogEntrySchema } from "@oceanchat/gen/oceanchat/records/v1/log_pb";
import { readConfig } from "@oceanchat/runtime/config";
import { implement } from "@oceanchat/runtime/handlers";
import type { Host } from "@oceanchat/runtime/host";
import { mongoOptions } from "@oceanchat/runtime/mongo";
import { runProcess } from "@oceanchat/runtime/process";
import { openLog } from "./bus.ts";
import { queryKeys } from "./config.ts";
import { createQueryCore } from "./core.ts";
import { patienceOf } from "./patience.ts";
import { openPeers } from "./peers.ts";
import { queryHandlers } from "./service.ts";
import { openStore } from "./store.ts";
import { openTail } from "./tail.ts";

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
  const core = createQueryCore({ store, tail, log: openLog(bus), peers, patience: patienceOf(config.storeWaitMs) });
  await host.serve({
    public: [implement(QueryService, queryHandlers(core))],
    verify: host.tokenVerifier(peers.signingKeys),
  });
}

if (import.meta.main) await runProcess("query", queryKeys, start);
