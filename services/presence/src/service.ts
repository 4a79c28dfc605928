import { timestampFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import type {
  Connection,
  GatewayReport,
  PresenceMeshService,
} from "@oceanchat/gen/oceanchat/presence/v1/presence_mesh_service_pb";
import type { PresenceService } from "@oceanchat/gen/oceanchat/presence/v1/presence_service_pb";
import { shared } from "@oceanchat/runtime/fail";
import { callerOf, type Handlers } from "@oceanchat/runtime/handlers";
import type { PresenceCore } from "./core.ts";
import type { LiveConnection } from "./ports.ts";
import { choiceOf } from "./service/choice.ts";
import { dispatch } from "./service/dispatch.ts";

/** Users, slots or gateways in one question. */
const MAX_ASKED = 1000;

/** What presence answers to other services. */
export const presenceMeshHandlers = (core: PresenceCore): Handlers<typeof PresenceMeshService> => ({
  report: (item) => report(core, item),
  dispatch: (item) => dispatch(core, item),
  async reviewWatchers({ userIds }) {
    await core.watches.review(userIds);
    return {};
  },
  async find({ userIds, slots, gatewayIds }) {
    if (userIds.length > MAX_ASKED || slots.length > MAX_ASKED || gatewayIds.length > MAX_ASKED)
      throw shared.malformed(`more than ${MAX_ASKED} at once`);
    const { connections, ...found } = await core.find({ userIds, slots, gatewayIds });
    return { connections: connections.map(answered), ...found };
  },
  async locate(request) {
    const { connections, gateways } = await core.connections.locate(request.userIds);
    return {
      connections: connections.map(answered),
      gateways: [...gateways],
    };
  },
});

const answered = ({ connectedAtMs, ...connection }: LiveConnection) => ({
  ...connection,
  connectedTime: timestampFromMs(connectedAtMs),
});

/** What clients may call. */
export const presenceHandlers = (core: PresenceCore): Handlers<typeof PresenceService> => ({
  async batchGetPresence({ userIds }, context) {
    return {
      presences: await core.view.view(
        callerOf(context).userId,
        userIds.map((userId) => userId.toLowerCase()),
      ),
    };
  },
  async setStatus(request, context) {
    await core.setStatus(callerOf(context).userId, choiceOf(request));
    return {};
  },
});

async function report(core: PresenceCore, { gatewayId, event }: GatewayReport) {
  switch (event.case) {
    case "connected": {
      const connection = liveConnection(gatewayId, event.value);
      const { kept } = event.value;
      if (kept.length > 0) await core.watches.restore({ ...connection, viewerId: connection.userId }, kept);
      return { replaced: [...(await core.connections.connected(connection))] };
    }
    case "disconnected":
      await core.connections.disconnected(event.value.userId, event.value.connectionId);
      await core.watches.end(event.value.connectionId);
      return {};
    case "lease": {
      if (!event.value.released) {
        const { reportAll, replaced } = await core.connections.lease(gatewayId, event.value.address);
        return { reportAll, replaced: [...replaced] };
      }
      await core.connections.release(gatewayId);
      return {};
    }
    case undefined:
      throw shared.malformed("a report without an event");
  }
}

function liveConnection(gatewayId: string, connection: Connection): LiveConnection {
  const { connectionId, userId, sessionId, deviceId, platform, codec, connectedTime } = connection;
  const connectedAtMs = connectedTime === undefined ? 0 : timestampMs(connectedTime);
  return { connectionId, gatewayId, userId, sessionId, deviceId, platform, codec, connectedAtMs };
}
