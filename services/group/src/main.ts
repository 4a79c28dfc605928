import { setTimeout as sleep } from "node:timers/promises";
import { GroupMeshService } from "@oceanchat/gen/oceanchat/group/v1/group_mesh_service_pb";
import { GroupService } from "@oceanchat/gen/oceanchat/group/v1/group_service_pb";
import { readConfig } from "@oceanchat/runtime/config";
import { implement } from "@oceanchat/runtime/handlers";
import type { Host } from "@oceanchat/runtime/host";
import { mongoOptions } from "@oceanchat/runtime/mongo";
import { runProcess } from "@oceanchat/runtime/process";
import { v7 } from "uuid";
import { groupKeys } from "./config.ts";
import { createGroupCore } from "./core.ts";
import { openPeers } from "./peers.ts";
import { groupHandlers, groupMeshHandlers } from "./service.ts";
import { openStore } from "./store.ts";
import { startSweep } from "./sweep.ts";

/** Starts the group service. */
export async function start(host: Host): Promise<void> {
  const config = readConfig(groupKeys, host.env);
  const { maxMembers } = config;
  const store = await openStore(mongoOptions(host, config));
  host.defer("store", () => store.close());
  const { users, conversations, signingKeys } = await openPeers(host, config);
  const { groups, members } = store;
  const ports = { groups, members, users, conversations, now: host.now, pause: sleep, newId: () => v7() };
  const core = createGroupCore(ports, { maxMembers });
  await host.serve({
    public: [implement(GroupService, groupHandlers(core))],
    mesh: [implement(GroupMeshService, groupMeshHandlers(core))],
    verify: host.tokenVerifier(signingKeys),
  });
  host.defer("sweep", startSweep(core, host.log));
}

if (import.meta.main) await runProcess("group", groupKeys, start);
