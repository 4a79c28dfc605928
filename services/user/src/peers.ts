import { AuthMeshService } from "@oceanchat/gen/oceanchat/auth/v1/auth_mesh_service_pb";
import type { AddressSource } from "@oceanchat/runtime/addresses";
import type { Host } from "@oceanchat/runtime/host";
import type { PublicJwk } from "@oceanchat/runtime/token";

/** The keys that auth signs access tokens with. */
export async function openSigningKeys(host: Host, at: AddressSource): Promise<() => Promise<readonly PublicJwk[]>> {
  const auth = await host.peers(AuthMeshService, at);
  return async () => (await auth.call.getSigningKeys({})).keys;
}
