import { Status } from "@oceanchat/gen/oceanchat/presence/v1/presence_service_pb";
import { Codec } from "@oceanchat/gen/oceanchat/records/v1/codec_pb";
import type {
  Changes,
  ConnectionStore,
  DisplacedConnection,
  LeftStore,
  LiveConnection,
  StatusStore,
  StoredStatus,
} from "../../src/ports.ts";

export const connection = (connectionId: string, gatewayId: string, userId = "u1"): LiveConnection => ({
  connectionId,
  gatewayId,
  userId,
  sessionId: "s",
  deviceId: connectionId,
  platform: "PLATFORM_WEB",
  codec: Codec.BINARY,
  connectedAtMs: 1,
});

/** Connections that the test puts there; counts the look-ups of leases. */
export function fakeConnections(entries: LiveConnection[], leases: Map<string, string>) {
  const asked: string[][] = [];
  const displaced: DisplacedConnection[] = [];
  const store: ConnectionStore = {
    add: async () => ({ displaced: [{ connectionId: "old", gatewayId: "g1" }] }),
    remove: async () => ({ removed: true, otherGatewayIds: [], unnoted: [] }),
    noteDisplaced: async (_, connections) => void displaced.push(...connections),
    takeDisplaced: async (gatewayId) =>
      displaced
        .splice(0)
        .filter((each) => each.gatewayId === gatewayId)
        .map(({ connectionId }) => connectionId),
    renewLease: async (gatewayId, address) => {
      const before = leases.has(gatewayId);
      leases.set(gatewayId, address);
      return before;
    },
    endLease: async (gatewayId) => void leases.delete(gatewayId),
    addressesOf: async (ids) => {
      asked.push([...ids]);
      return new Map(ids.flatMap((id) => (leases.has(id) ? [[id, leases.get(id) ?? ""] as const] : [])));
    },
    connectionsOf: async (userIds) => entries.filter(({ userId }) => userIds.includes(userId)),
    silent: async () => ({ nowMs: 0, gateways: [] }),
    reportedBy: async () => [],
    sweep: async () => new Map(),
    swept: async () => {},
    forget: async () => {},
  };
  return { store, asked };
}

/** What nobody has chosen. */
export const online: StoredStatus = { status: Status.ONLINE, text: "", expireMs: undefined, lastSeenMs: undefined };

/** Statuses in memory, with the rules of the port. */
export function fakeStatuses(stored = new Map<string, StoredStatus>()) {
  let reads = 0;
  const store: StatusStore = {
    read: async (userIds) => {
      reads += 1;
      return new Map(userIds.map((userId) => [userId, stored.get(userId) ?? online]));
    },
    set: async (userId, choice, seenMs) => {
      const before = stored.get(userId)?.lastSeenMs;
      const next = { ...choice, lastSeenMs: seenMs === undefined ? before : Math.max(before ?? 0, seenMs) };
      stored.set(userId, next);
      return next;
    },
    seen: async (lastSeenMs) => {
      for (const [userId, ms] of lastSeenMs) {
        const before = stored.get(userId) ?? online;
        stored.set(userId, { ...before, lastSeenMs: Math.max(before.lastSeenMs ?? 0, ms) });
      }
    },
    ending: async (after, untilMs, limit) =>
      [...stored]
        .flatMap(([userId, { expireMs }]) => (expireMs === undefined ? [] : [{ userId, timeMs: expireMs }]))
        .filter(({ userId, timeMs }) => timeMs > after.timeMs || (timeMs === after.timeMs && userId > after.userId))
        .filter(({ timeMs }) => timeMs <= untilMs)
        .sort((a, b) => a.timeMs - b.timeMs || (a.userId < b.userId ? -1 : 1))
        .slice(0, limit),
  };
  return { store, stored, reads: () => reads };
}

/** Who has gone, in memory. */
export function fakeLeft() {
  const left = new Map<string, number>();
  const store: LeftStore = {
    note: async (userIds, ms) => {
      for (const userId of userIds) left.set(userId, Math.max(left.get(userId) ?? 0, ms));
    },
    of: async (userIds) => new Map([...left].filter(([userId]) => userIds.includes(userId))),
    waiting: async (limit) => new Map([...left].slice(0, limit)),
    written: async (written) => {
      for (const [userId, ms] of written) if (left.get(userId) === ms) left.delete(userId);
    },
  };
  return { store, left };
}

/** Remembers who was marked. */
export function fakeChanges() {
  const marked: string[] = [];
  const changes: Changes = { mark: async (userIds) => void marked.push(...userIds) };
  return { changes, marked };
}

export const everyTurn = { take: async () => true };
export const loosePolicy = { classes: {}, limits: {}, total: 100 };
