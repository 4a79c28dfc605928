import { UserMeshService } from "@oceanchat/gen/oceanchat/user/v1/user_mesh_service_pb";
import type { AddressSource } from "@oceanchat/runtime/addresses";
import { shared } from "@oceanchat/runtime/fail";
import type { Host } from "@oceanchat/runtime/host";
import type { Profiles } from "./ports.ts";

/** Profiles, which user keeps. */
export async function openProfiles(host: Host, at: AddressSource): Promise<Profiles> {
  const users = await host.peers(UserMeshService, at);
  return {
    async ensure(profile, { traceparent, requestId }) {
      const { user } = await users.call.createProfile(profile, { key: profile.userId, traceparent, requestId });
      if (user === undefined) throw shared.internal(new Error("user answered without a profile"));
      return user;
    },
  };
}
