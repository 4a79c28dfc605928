import { AuthMeshService } from "@oceanchat/gen/oceanchat/auth/v1/auth_mesh_service_pb";
import type { AddressSource } from "@oceanchat/runtime/addresses";
import type { Host } from "@oceanchat/runtime/host";
import type { PresencePeers } from "./ports.ts";

/** Connects to the services that presence asks. */
export async function openPeers(host: Host, config: { readonly auth: AddressSource }): Promise<PresencePeers> {
  const auth = await host.peers(AuthMeshService, config.auth);
  return { signingKeys: async () => (await auth.call.getSigningKeys({})).keys };
}
