import { AuthMeshService } from "@oceanchat/gen/oceanchat/auth/v1/auth_mesh_service_pb";
import { AuthService } from "@oceanchat/gen/oceanchat/auth/v1/auth_service_pb";
import { UserMeshService } from "@oceanchat/gen/oceanchat/user/v1/user_mesh_service_pb";
import { implement } from "@oceanchat/runtime/handlers";
import type { MeshDoor } from "@oceanchat/runtime/mesh-door";
import { openTestDoor, startService } from "@oceanchat/runtime/testing";
import { publicClient } from "@oceanchat/runtime/testing-public";
import { start } from "../../src/main.ts";

/** A user service that remembers profiles. */
export async function openFakeUser(): Promise<MeshDoor & { readonly profiles: Map<string, string> }> {
  const profiles = new Map<string, string>();
  const user = implement(UserMeshService, {
    createProfile({ userId, username, displayName }) {
      if (!profiles.has(userId)) profiles.set(userId, displayName);
      return { user: { userId, username, displayName: profiles.get(userId) ?? "" } };
    },
  });
  const door = await openTestDoor([user]);
  return Object.assign(door, { profiles });
}

/** The whole auth service on free ports. */
export async function startAuth(options: {
  readonly mongodbUrl: string;
  readonly database: string;
  readonly userPort: number;
  readonly env?: Record<string, string>;
}) {
  const { host, served, mesh } = await startService("auth", start, {
    OCEANCHAT_MONGODB_URL: options.mongodbUrl,
    OCEANCHAT_MONGODB_DATABASE: options.database,
    OCEANCHAT_USER_ADDRESSES: `127.0.0.1:${options.userPort}`,
    OCEANCHAT_PRESENCE_ADDRESSES: "127.0.0.1:1", // nobody there
    OCEANCHAT_MESSAGE_ADDRESSES: "127.0.0.1:1",
    ...options.env,
  });
  const port = served.publicPort;
  if (port === undefined) throw new Error("no public door");
  const meshed = await host.peers(AuthMeshService, mesh);
  return {
    host,
    port,
    as: (token?: string) => publicClient(AuthService, port, token),
    mesh: meshed.call,
    stop: () => host.stop(),
  };
}

export type RunningAuth = Awaited<ReturnType<typeof startAuth>>;
