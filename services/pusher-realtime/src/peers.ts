import { GatewayMeshService } from "@oceanchat/gen/oceanchat/gateway/v1/gateway_mesh_service_pb";
import { PresenceMeshService } from "@oceanchat/gen/oceanchat/presence/v1/presence_mesh_service_pb";
import type { AddressSource } from "@oceanchat/runtime/addresses";
import { toServiceError } from "@oceanchat/runtime/fail";
import type { Host } from "@oceanchat/runtime/host";
import { Unanswered } from "@oceanchat/runtime/unanswered";
import type { Gateways, Presence, Receipt } from "./ports.ts";

/** How long a gateway may answer nothing at all. */
const SILENT_MS = 5000;
/** How long an answer may take while others come. */
const SLOW_MS = 60_000;

/** Connects to presence, and to gateways as tasks name them. */
export async function openPeers(
  host: Host,
  at: { readonly presence: AddressSource },
): Promise<{ gateways: Gateways; presence: Presence }> {
  const delivery = await host.calls(GatewayMeshService.method.deliver, undefined, {
    timeoutMs: SILENT_MS,
    patientMs: SLOW_MS,
  });
  const presence = await host.peers(PresenceMeshService, at.presence);
  return {
    gateways: {
      async deliver(address, { connectionIds, ...parcel }) {
        try {
          const result = await delivery.call({ ...parcel, connectionIds: [...connectionIds] }, { address });
          return { kind: "done", unknownConnectionIds: result.unknownConnectionIds };
        } catch (error) {
          return receiptOf(error);
        }
      },
    },
    presence: { locate: (userIds) => presence.call.locate({ userIds: [...userIds] }) },
  };
}

function receiptOf(thrown: unknown): Receipt {
  const error = toServiceError(thrown);
  switch (error.reason) {
    case "ERROR_REASON_UNAVAILABLE":
      return { kind: "unreachable" };
    case "ERROR_REASON_OUTCOME_UNKNOWN":
      return { kind: error.cause instanceof Unanswered && error.cause.why !== "lost" ? "silent" : "broken" };
    case "ERROR_REASON_OVERLOADED":
      return { kind: "busy" };
    default:
      return { kind: "refused", error };
  }
}
