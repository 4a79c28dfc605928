import { AuthMeshService } from "@oceanchat/gen/oceanchat/auth/v1/auth_mesh_service_pb";
import { type PresenceVerdict, UserMeshService } from "@oceanchat/gen/oceanchat/user/v1/user_mesh_service_pb";
import type { AddressSource } from "@oceanchat/runtime/addresses";
import { shared } from "@oceanchat/runtime/fail";
import type { Host } from "@oceanchat/runtime/host";
import type { PresencePeers } from "./ports.ts";

/** How many questions user takes at once. */
const QUESTIONS = 1_000;
const VERDICT_MS = 1_500;

/** Nothing may be shown then; a caller may try again. */
function notAnswered(cause: unknown): never {
  throw shared.unavailable("it can't be asked who may see whom", cause);
}

/** Connects to the services that presence asks. */
export async function openPeers(
  host: Host,
  config: { readonly auth: AddressSource; readonly user: AddressSource },
): Promise<PresencePeers> {
  const [auth, user] = await Promise.all([
    host.peers(AuthMeshService, config.auth),
    host.peers(UserMeshService, config.user, { timeoutMs: VERDICT_MS }),
  ]);
  return {
    signingKeys: async () => (await auth.call.getSigningKeys({})).keys,
    sessions: {
      live: async (sessionIds) =>
        new Set((await auth.call.getSessions({ sessionIds: [...sessionIds] })).liveSessionIds),
    },
    users: {
      async checkPresence(pairs) {
        const verdicts: PresenceVerdict[] = [];
        for (let from = 0; from < pairs.length; from += QUESTIONS) {
          const questions = pairs
            .slice(from, from + QUESTIONS)
            .map(({ viewerId, userId }) => ({ viewerUserId: viewerId, userId }));
          verdicts.push(...(await user.call.checkPresence({ questions }).catch(notAnswered)).verdicts);
        }
        return verdicts;
      },
    },
  };
}
