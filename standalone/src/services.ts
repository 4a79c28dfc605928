import { authKeys } from "@oceanchat/auth/config";
import { start as auth } from "@oceanchat/auth/main";
import { groupKeys } from "@oceanchat/group/config";
import { start as group } from "@oceanchat/group/main";
import { messageKeys } from "@oceanchat/message/config";
import { start as message } from "@oceanchat/message/main";
import { orchestratorKeys } from "@oceanchat/orchestrator/config";
import { start as orchestrator } from "@oceanchat/orchestrator/main";
import { writerKeys } from "@oceanchat/persistence-writer/config";
import { start as persistenceWriter } from "@oceanchat/persistence-writer/main";
import { presenceKeys } from "@oceanchat/presence/config";
import { start as presence } from "@oceanchat/presence/main";
import { pusherOfflineKeys } from "@oceanchat/pusher-offline/config";
import { start as pusherOffline } from "@oceanchat/pusher-offline/main";
import { pusherKeys } from "@oceanchat/pusher-realtime/config";
import { start as pusherRealtime } from "@oceanchat/pusher-realtime/main";
import { queryKeys } from "@oceanchat/query/config";
import { start as query } from "@oceanchat/query/main";
import { routerKeys } from "@oceanchat/router/config";
import { start as router } from "@oceanchat/router/main";
import type { Keys } from "@oceanchat/runtime/config";
import type { Start } from "@oceanchat/runtime/host";
import { userKeys } from "@oceanchat/user/config";
import { start as user } from "@oceanchat/user/main";
import { gatewayKeys } from "@oceanchat/ws-gateway/config";
import { start as gateway } from "@oceanchat/ws-gateway/main";

/** A service of this process. */
export interface Service {
  readonly name: string;
  readonly keys: Keys;
  readonly start: Start;
  /** Has a door that Envoy may route to. */
  readonly public: boolean;
}

/**
 * All services, in groups that are started from the first to the last and stopped from the last to the first: first whoever takes
 * in work, last whoever is asked.
 */
export const SERVICES: readonly (readonly Service[])[] = [
  [
    { name: "auth", keys: authKeys, start: auth, public: true },
    { name: "user", keys: userKeys, start: user, public: true },
    { name: "group", keys: groupKeys, start: group, public: true },
    { name: "presence", keys: presenceKeys, start: presence, public: true },
    { name: "query", keys: queryKeys, start: query, public: true },
  ],
  [
    { name: "persistence-writer", keys: writerKeys, start: persistenceWriter, public: false },
    { name: "orchestrator", keys: orchestratorKeys, start: orchestrator, public: false },
    { name: "pusher-realtime", keys: pusherKeys, start: pusherRealtime, public: false },
    { name: "pusher-offline", keys: pusherOfflineKeys, start: pusherOffline, public: true },
  ],
  [{ name: "message", keys: messageKeys, start: message, public: true }],
  [{ name: "router", keys: routerKeys, start: router, public: false }],
  [{ name: "ws-gateway", keys: gatewayKeys, start: gateway, public: false }],
];
