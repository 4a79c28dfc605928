import { randomUUID } from "node:crypto";
import { type Presence, Status, StatusSchema } from "@oceanchat/gen/oceanchat/presence/v1/presence_service_pb";
import { Codec } from "@oceanchat/gen/oceanchat/records/v1/codec_pb";
import { PresenceVerdict } from "@oceanchat/gen/oceanchat/user/v1/user_mesh_service_pb";
import { shared } from "@oceanchat/runtime/fail";
import { streamGateway } from "../../src/core/stream-gateway.ts";
import { Streams } from "../../src/core/streams.ts";
import { createPresenceCore, type PresenceCore } from "../../src/core.ts";
import type { Watch } from "../../src/ports/watches.ts";
import type { LiveConnection, StoredStatus } from "../../src/ports.ts";
import type { RedisStore } from "../../src/store.ts";
import { loosePolicy } from "./fakes.ts";

export const GATEWAY = "g1";
const LEASE_MS = 15_000;
const ONLINE: StoredStatus = { status: Status.ONLINE, text: "", expireMs: undefined, lastSeenMs: undefined };

const nameOf = (status: Status) => StatusSchema.value[status]?.name.replace("STATUS_", "");

/** What a connection was sent. */
export interface Sent {
  readonly connectionId: string;
  readonly presence: Presence;
}

/** Presence's rules over a real store, with a clock and everything else in the test's hands. */
export class World {
  nowMs = 1_000_000;
  readonly statuses = new Map<string, StoredStatus>();
  /** By viewer and user; all may see all. */
  readonly verdicts = new Map<string, PresenceVerdict>();
  readonly asked: number[] = [];
  readonly unreadable: unknown[] = [];
  sent: Sent[] = [];
  readonly streams: Streams[] = [];
  readonly endedSessions = new Set<string>();
  usersAway = false;
  statusesAway = false;
  natsAway = false;
  readonly core: PresenceCore;
  readonly store: RedisStore;

  constructor(store: RedisStore) {
    this.store = store;
    this.core = this.another();
  }

  /** A further instance beside it. */
  another(): PresenceCore {
    const { store } = this;
    return createPresenceCore({
      store: store.connections,
      watches: store.watches,
      queue: store.queue,
      statusStore: {
        read: async (userIds) =>
          this.statusesAway
            ? new Map()
            : new Map(userIds.map((userId) => [userId, this.statuses.get(userId) ?? ONLINE])),
        set: async (userId, choice) => {
          const stored = { ...ONLINE, ...choice };
          this.statuses.set(userId, stored);
          return stored;
        },
        seen: async () => {},
        ending: async () => [],
      },
      left: store.left,
      turns: store.turns,
      policy: loosePolicy,
      users: {
        checkPresence: async (pairs) => {
          this.asked.push(pairs.length);
          if (this.usersAway) throw shared.unavailable("user is away");
          return pairs.map(({ viewerId, userId }) => this.verdicts.get(`${viewerId} ${userId}`) ?? PresenceVerdict.ALL);
        },
      },
      outlet: {
        toGateway: (_gateway, to, presence) => this.#send(to, presence),
        toStreams: (_instanceId, to, presence) => {
          const streamIds = to.map(({ connectionId }) => connectionId);
          for (const each of this.streams) each.tell(streamIds, presence);
          return this.#send(to, presence);
        },
      },
      onUnreadable: (error) => this.unreadable.push(error),
      onStatusesUnreadable: (error) => this.unreadable.push(error),
      leaseMs: LEASE_MS,
      now: () => this.nowMs,
    });
  }

  /** What an instance has for its streams. */
  openStreams(instanceId = "one"): Streams {
    const streams = new Streams({
      watches: this.core.watches,
      leases: this.store.connections,
      sessions: { live: async (ids) => new Set(ids.filter((id) => !this.endedSessions.has(id))) },
      gatewayId: streamGateway(instanceId),
      leaseMs: LEASE_MS,
      newId: randomUUID,
      now: () => this.nowMs,
    });
    this.streams.push(streams);
    return streams;
  }

  #send(to: readonly Watch[], presence: Presence): boolean {
    if (this.natsAway) return false;
    this.sent.push(...to.map(({ connectionId }) => ({ connectionId, presence })));
    return true;
  }

  lease(gatewayId = GATEWAY): Promise<unknown> {
    return this.core.connections.lease(gatewayId, `${gatewayId}:1`);
  }

  async connect(userId: string, gatewayId = GATEWAY, deviceId: string = randomUUID()): Promise<LiveConnection> {
    const connection: LiveConnection = {
      connectionId: `c_${randomUUID()}`,
      gatewayId,
      userId,
      sessionId: "s",
      deviceId,
      platform: "PLATFORM_WEB",
      codec: Codec.JSON,
      connectedAtMs: this.nowMs,
    };
    await this.core.connections.connected(connection);
    return connection;
  }

  async disconnect({ userId, connectionId }: LiveConnection): Promise<void> {
    await this.core.connections.disconnected(userId, connectionId);
    await this.core.watches.end(connectionId);
  }

  async subscribe(connection: LiveConnection, userIds: readonly string[]) {
    const answer = await this.core.watches.subscribe({ ...connection, viewerId: connection.userId }, userIds);
    this.nowMs += 600; // the answer is there
    return answer;
  }

  restore(connection: LiveConnection, kept: Uint8Array): Promise<void> {
    return this.core.watches.restore({ ...connection, viewerId: connection.userId }, kept);
  }

  async choose(userId: string, status: Status, text = ""): Promise<void> {
    this.statuses.set(userId, { ...(this.statuses.get(userId) ?? ONLINE), status, text });
    await this.core.watches.mark([userId]);
  }

  /** Some seconds, with a turn in each; gives what was sent in short: `<connection> <status>`. */
  async seconds(count = 1): Promise<string[]> {
    const { length } = this.sent;
    for (let second = 0; second < count; second++) {
      this.nowMs += 1_001;
      await this.lease();
      await this.core.fanOut.turn();
    }
    return this.sent.slice(length).map(({ connectionId, presence }) => `${connectionId} ${nameOf(presence.status)}`);
  }
}
