import { PresenceMeshService } from "@oceanchat/gen/oceanchat/presence/v1/presence_mesh_service_pb";
import { PresenceService } from "@oceanchat/gen/oceanchat/presence/v1/presence_service_pb";
import { readConfig } from "@oceanchat/runtime/config";
import { implement } from "@oceanchat/runtime/handlers";
import type { Host } from "@oceanchat/runtime/host";
import { runProcess } from "@oceanchat/runtime/process";
import { presenceKeys } from "./config.ts";
import { createPresenceCore } from "./core.ts";
import { openPeers } from "./peers.ts";
import { presenceMeshHandlers } from "./service.ts";
import { openRedisStore } from "./store.ts";

/** Starts presence. */
export async function start(host: Host): Promise<void> {
  const config = readConfig(presenceKeys, host.env);
  const store = openRedisStore(config.redisUrl, host.log);
  host.defer("store", () => store.close());
  const peers = await openPeers(host, config);
  const core = createPresenceCore({
    store: store.connections,
    statusStore: { read: async () => new Map() },
    users: peers.users,
    changes: { mark: async () => {} },
    leaseMs: config.leaseMs,
    now: host.now,
  });
  host.every("sweep", config.sweepIntervalMs, core.connections.sweep);
  await host.serve({
    public: [implement(PresenceService, {})],
    mesh: [implement(PresenceMeshService, presenceMeshHandlers(core))],
    verify: host.tokenVerifier(peers.signingKeys),
  });
}

if (import.meta.main) await runProcess("presence", presenceKeys, start);
