import { PresenceMeshService } from "@oceanchat/gen/oceanchat/presence/v1/presence_mesh_service_pb";
import { PresenceService } from "@oceanchat/gen/oceanchat/presence/v1/presence_service_pb";
import { readConfig } from "@oceanchat/runtime/config";
import { implement } from "@oceanchat/runtime/handlers";
import type { Host } from "@oceanchat/runtime/host";
import { runProcess } from "@oceanchat/runtime/process";
import { openOutlet } from "./bus.ts";
import { presenceKeys } from "./config.ts";
import { createPresenceCore } from "./core.ts";
import { openPeers } from "./peers.ts";
import { subscribePresence } from "./service/subscribe.ts";
import { presenceMeshHandlers } from "./service.ts";
import { openRedisStore } from "./store.ts";
import { openStreams } from "./streams.ts";

/** How often users who may have changed are looked at, in milliseconds: 200 at a time, each once a second at most. */
const CHANGES_MS = 200;

/** Starts presence. */
export async function start(host: Host): Promise<void> {
  const config = readConfig(presenceKeys, host.env);
  const store = openRedisStore(config.redisUrl, host.log);
  host.defer("store", () => store.close());
  const peers = await openPeers(host, config);
  const bus = await host.bus(config.natsUrl);
  const core = createPresenceCore({
    store: store.connections,
    statusStore: { read: async () => new Map() },
    users: peers.users,
    watches: store.watches,
    queue: store.queue,
    outlet: openOutlet(bus),
    onUnreadable: (error) => host.log.warn({ err: error }, "what a gateway kept for a connection can't be read"),
    leaseMs: config.leaseMs,
    now: host.now,
  });
  host.every("sweep", config.sweepIntervalMs, core.connections.sweep);
  host.every("sweep of watches", config.sweepIntervalMs, () => core.watches.sweep());
  host.every("changes", CHANGES_MS, () => core.fanOut.turn());
  const streams = openStreams(host, core, {
    bus,
    leases: store.connections,
    sessions: peers.sessions,
    leaseMs: config.leaseMs,
  });
  await host.serve({
    public: [implement(PresenceService, { subscribePresence: subscribePresence(streams) })],
    mesh: [implement(PresenceMeshService, presenceMeshHandlers(core))],
    verify: host.tokenVerifier(peers.signingKeys),
  });
}

if (import.meta.main) await runProcess("presence", presenceKeys, start);
