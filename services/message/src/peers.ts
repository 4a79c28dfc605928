import { Code } from "@connectrpc/connect";
import { AuthMeshService } from "@oceanchat/gen/oceanchat/auth/v1/auth_mesh_service_pb";
import { GroupMeshService } from "@oceanchat/gen/oceanchat/group/v1/group_mesh_service_pb";
import { UserMeshService } from "@oceanchat/gen/oceanchat/user/v1/user_mesh_service_pb";
import type { AddressSource } from "@oceanchat/runtime/addresses";
import { ServiceError, shared } from "@oceanchat/runtime/fail";
import type { Host } from "@oceanchat/runtime/host";
import type { PublicJwk } from "@oceanchat/runtime/token";
import { Unanswered } from "@oceanchat/runtime/unanswered";
import type { PermissionPeers } from "./ports.ts";

/** Other services. */
export interface MessagePeers extends PermissionPeers {
  signingKeys(): Promise<readonly PublicJwk[]>;
}

/** Where they are. */
export interface PeerAddresses {
  readonly auth: AddressSource;
  readonly group: AddressSource;
  readonly user: AddressSource;
}

const PERMISSION_MS = 1500;
/** An answer that takes longer is worth nothing: revisions count for a second from the moment of asking. */
const REVISIONS_MS = 800;
/** As many as the core asks at the same time. */
const DIRECT_IN_FLIGHT = 10_000;

/** Connects to the services that message asks. */
export async function openPeers(host: Host, at: PeerAddresses): Promise<MessagePeers> {
  const auth = await host.peers(AuthMeshService, at.auth);
  const group = await host.peers(GroupMeshService, at.group, { timeoutMs: PERMISSION_MS });
  // A question may be asked again.
  const direct = { timeoutMs: PERMISSION_MS, maxInFlight: DIRECT_IN_FLIGHT, resend: true };
  const revisions = await host.peers(UserMeshService, at.user, { timeoutMs: REVISIONS_MS });
  const user = await host.calls(UserMeshService.method.checkDirects, at.user, direct);
  return {
    signingKeys: async () => (await auth.call.getSigningKeys({})).keys,
    async checkSend(groupId, userId, mentionsAll, traceparent) {
      const asked = group.call.checkSend({ groupId, userId, mentionsAll }, { key: groupId, traceparent });
      return asked.catch(notAnswered("group"));
    },
    async checkRead(groupId, userId, traceparent) {
      const asked = group.call.checkRead({ groupId, userId }, { key: groupId, traceparent });
      return (await asked.catch(notAnswered("group"))).intervals;
    },
    async checkDirect(senderUserId, recipientUserId, traceparent) {
      const asked = user.call({ senderUserId, recipientUserId, traceparent }, { key: recipientUserId });
      const { verdict, slot, revision } = await asked.catch(notAnswered("user"));
      return { verdict, slot, revision };
    },
    directRevisions: async () => (await revisions.call.getDirectRevisions({})).revisions,
  };
}

const PASSING: ReadonlySet<Code> = new Set([Code.Unavailable, Code.DeadlineExceeded]);

/** Nothing was stored, whatever became of the question: a caller may not think that the outcome is unknown. */
function notAnswered(service: string) {
  return (error: unknown): never => {
    if (error instanceof ServiceError && isTooMuch(error)) {
      throw shared.overloaded(`${service} is asked for more permissions than it can answer`);
    }
    if (error instanceof ServiceError && PASSING.has(error.code)) {
      throw shared.unavailable(`${service} can't be asked for permission`, error);
    }
    throw shared.internal(error);
  };
}

const isTooMuch = ({ code, cause }: ServiceError): boolean =>
  code === Code.ResourceExhausted || (cause instanceof Unanswered && cause.why === "busy");
