import type { PresenceService } from "@oceanchat/gen/oceanchat/presence/v1/presence_service_pb";
import { callerOf, type Handlers } from "@oceanchat/runtime/handlers";
import type { Streams } from "../core/streams.ts";

/** `SubscribePresence` on the public door. */
export const subscribePresence = (
  streams: Pick<Streams, "open">,
): NonNullable<Handlers<typeof PresenceService>["subscribePresence"]> =>
  async function* (request, context) {
    const { userId, sessionId } = callerOf(context);
    for await (const presences of streams.open({ userId, sessionId }, request.userIds, context.signal)) {
      yield { presences: [...presences] };
    }
  };
