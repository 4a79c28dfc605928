import { PresenceMeshService } from "@oceanchat/gen/oceanchat/presence/v1/presence_mesh_service_pb";
import { PresenceService } from "@oceanchat/gen/oceanchat/presence/v1/presence_service_pb";
import { readConfig } from "@oceanchat/runtime/config";
import { implement } from "@oceanchat/runtime/handlers";
import type { Host } from "@oceanchat/runtime/host";
import { mongoOptions } from "@oceanchat/runtime/mongo";
import { runProcess } from "@oceanchat/runtime/process";
import { openOutlet } from "./bus.ts";
import { presenceKeys } from "./config.ts";
import { createPresenceCore } from "./core.ts";
import { openPeers } from "./peers.ts";
import { subscribePresence } from "./service/subscribe.ts";
import { presenceHandlers, presenceMeshHandlers } from "./service.ts";
import { openStatusesLater } from "./store/later.ts";
import { openRedisStore } from "./store.ts";
import { openStreams } from "./streams.ts";

/** How often users who may have changed are looked at, in milliseconds: 200 at a time, each once a second at most. */
const CHANGES_MS = 200;
/** Whoever asks for presence waits for statuses, and gets it without them when the store is away. */
const STORE = { waitMs: 1_000, silenceMs: 3_000 };
const TURN_MS = 1_000;

/** Starts presence. */
export async function start(host: Host): Promise<void> {
  const config = readConfig(presenceKeys, host.env);
  const store = openRedisStore(config.redisUrl, host.log);
  host.defer("store", () => store.close());
  const later = openStatusesLater({ ...mongoOptions(host, config), ...STORE });
  host.defer("statuses", () => later.close());
  const peers = await openPeers(host, config);
  const bus = await host.bus(config.natsUrl);
  const core = createPresenceCore({
    store: store.connections,
    left: store.left,
    turns: store.turns,
    statusStore: later.statuses,
    users: peers.users,
    watches: store.watches,
    queue: store.queue,
    outlet: openOutlet(bus),
    onUnreadable: (error) => host.log.warn({ err: error }, "what a gateway kept for a connection can't be read"),
    policy: config.devicePolicy,
    leaseMs: config.leaseMs,
    now: host.now,
    onStatusesUnreadable: (error) => host.log.warn({ err: error }, "statuses can't be read: users look offline"),
  });
  host.every("sweep", config.sweepIntervalMs, core.sweep);
  host.every("sweep of watches", config.sweepIntervalMs, () => core.watches.sweep());
  host.every("last seen", TURN_MS, core.writeLastSeen);
  host.every("expiries", TURN_MS, core.noteExpiries);
  host.every("changes", CHANGES_MS, () => core.fanOut.turn());
  const streams = openStreams(host, core, {
    bus,
    leases: store.connections,
    sessions: peers.sessions,
    leaseMs: config.leaseMs,
  });
  await host.serve({
    public: [implement(PresenceService, { ...presenceHandlers(core), subscribePresence: subscribePresence(streams) })],
    mesh: [implement(PresenceMeshService, presenceMeshHandlers(core))],
    verify: host.tokenVerifier(peers.signingKeys),
  });
}

if (import.meta.main) await runProcess("presence", presenceKeys, start);
