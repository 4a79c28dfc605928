import { RelationshipService } from "@oceanchat/gen/oceanchat/user/v1/relationship_service_pb";
import { UserMeshService } from "@oceanchat/gen/oceanchat/user/v1/user_mesh_service_pb";
import { UserService } from "@oceanchat/gen/oceanchat/user/v1/user_service_pb";
import { startService } from "@oceanchat/runtime/testing";
import { publicClient } from "@oceanchat/runtime/testing-public";
import { start } from "../../src/main.ts";

/** The whole user service on free ports. */
export async function startUser(mongodbUrl: string, authPort: number) {
  const { host, served, mesh } = await startService("user", start, {
    OCEANCHAT_MONGODB_URL: mongodbUrl,
    OCEANCHAT_MONGODB_DATABASE: "user",
    OCEANCHAT_AUTH_ADDRESSES: `127.0.0.1:${authPort}`,
    OCEANCHAT_PRESENCE_ADDRESSES: "127.0.0.1:1",
  });
  const port = served.publicPort;
  if (port === undefined) throw new Error("no public door");
  const meshed = await host.peers(UserMeshService, mesh);
  const directs = await host.calls(UserMeshService.method.checkDirects, mesh);
  return {
    as: (token?: string) => publicClient(UserService, port, token),
    relationsAs: (token?: string) => publicClient(RelationshipService, port, token),
    mesh: meshed.call,
    checkDirects: (question: Parameters<typeof directs.call>[0]) => directs.call(question),
    stop: () => host.stop(),
  };
}

export type RunningUser = Awaited<ReturnType<typeof startUser>>;
