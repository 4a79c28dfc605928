import { RelationshipService } from "@oceanchat/gen/oceanchat/user/v1/relationship_service_pb";
import { UserMeshService } from "@oceanchat/gen/oceanchat/user/v1/user_mesh_service_pb";
import { UserService } from "@oceanchat/gen/oceanchat/user/v1/user_service_pb";
import { readConfig } from "@oceanchat/runtime/config";
import { implement } from "@oceanchat/runtime/handlers";
import type { Host } from "@oceanchat/runtime/host";
import { mongoOptions } from "@oceanchat/runtime/mongo";
import { runProcess } from "@oceanchat/runtime/process";
import { userKeys } from "./config.ts";
import { createUserCore } from "./core.ts";
import { openSigningKeys, openWatchers } from "./peers.ts";
import { userHandlers, userMeshHandlers } from "./service.ts";
import { openStore } from "./store.ts";

/** Starts the user service. */
export async function start(host: Host): Promise<void> {
  const config = readConfig(userKeys, host.env);
  const store = await openStore(mongoOptions(host, config));
  host.defer("store", () => store.close());
  const core = createUserCore({
    ...store,
    watchers: await openWatchers(host, config.presence),
    journal: {
      changeStaysOpen: (error) =>
        host.log.warn({ err: error }, "a change of who may write to a user stays noted as open"),
    },
    now: host.now,
    steady: () => performance.now(),
  });
  await host.serve({
    public: [implement(UserService, userHandlers(core)), implement(RelationshipService, {})],
    mesh: [implement(UserMeshService, userMeshHandlers(core))],
    verify: host.tokenVerifier(await openSigningKeys(host, config.auth)),
  });
}

if (import.meta.main) await runProcess("user", userKeys, start);
