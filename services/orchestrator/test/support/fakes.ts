import { create, fromBinary } from "@bufbuild/protobuf";
import {
  type Connection,
  ConnectionSchema,
  GatewaySchema,
} from "@oceanchat/gen/oceanchat/presence/v1/presence_mesh_service_pb";
import {
  type OfflineTask,
  OfflineTaskSchema,
  type OnlineTask,
  OnlineTaskSchema,
} from "@oceanchat/gen/oceanchat/push/v1/tasks_pb";
import { Codec } from "@oceanchat/gen/oceanchat/records/v1/codec_pb";
import type { MembershipBody } from "@oceanchat/gen/oceanchat/records/v1/record_pb";
import type { Groups, LimitedMemberList, Log, MemberList, Presence, Push, Task } from "../../src/ports.ts";

/** Group, as the store of members that it is: what it says is true now. */
export class FakeGroups implements Groups {
  readonly lists = new Map<string, MemberList>();
  readonly calls: string[] = [];

  async members(groupId: string): Promise<MemberList> {
    this.calls.push("members");
    return this.lists.get(groupId) ?? { userIds: [], version: 0n };
  }

  async membersUpTo(groupId: string, limit: number): Promise<LimitedMemberList> {
    this.calls.push("membersUpTo");
    const { userIds, version } = this.lists.get(groupId) ?? { userIds: [], version: 0n };
    return { userIds: userIds.length > limit ? undefined : userIds, version };
  }

  async version(groupId: string): Promise<bigint> {
    this.calls.push("version");
    return this.lists.get(groupId)?.version ?? 0n;
  }
}

/** The part of the log that lies ahead. */
export class FakeLog implements Log {
  readonly changes: { readonly conversationId: string; readonly sequence: number; readonly change: MembershipBody }[] =
    [];

  async membershipAfter(conversationId: string, sequence: number): Promise<MembershipBody[]> {
    return this.changes
      .filter((each) => each.conversationId === conversationId && each.sequence > sequence)
      .map(({ change }) => change);
  }
}

export class FakePresence implements Presence {
  connections: Connection[] = [];
  readonly asked: number[] = [];
  down = false;

  async locate(userIds: readonly string[]) {
    if (this.down) throw new Error("presence is down");
    this.asked.push(userIds.length);
    const connections = this.connections.filter(({ userId }) => userIds.includes(userId));
    const gatewayIds = [...new Set(connections.map(({ gatewayId }) => gatewayId))];
    const gateways = gatewayIds.map((gatewayId) => create(GatewaySchema, { gatewayId, address: `${gatewayId}:1` }));
    return { connections, gateways };
  }
}

/** A push stream that knows repeats, as the real one does. */
export class FakePush implements Push {
  readonly onlineTasks: OnlineTask[] = [];
  readonly offlineTasks: OfflineTask[] = [];
  readonly bytes: number[] = [];
  readonly ids = new Set<string>();
  full = false;
  /** Called before anything is stored; may throw. */
  before: (what: string) => void = () => undefined;
  running = 0;
  mostRunning = 0;

  async online(gatewayId: string, task: Task): Promise<void> {
    await this.#turn();
    this.before(gatewayId);
    if (this.#isNew(task)) this.onlineTasks.push(fromBinary(OnlineTaskSchema, task.data));
  }

  async offline(userId: string, task: Task): Promise<boolean> {
    await this.#turn();
    this.before(userId);
    if (this.full) return false;
    if (this.#isNew(task)) this.offlineTasks.push(fromBinary(OfflineTaskSchema, task.data));
    return true;
  }

  async #turn(): Promise<void> {
    this.mostRunning = Math.max(this.mostRunning, ++this.running);
    await new Promise((resolve) => setImmediate(resolve));
    this.running--;
  }

  #isNew({ messageId, data }: Task): boolean {
    this.bytes.push(data.length);
    if (this.ids.has(messageId)) return false;
    this.ids.add(messageId);
    return true;
  }
}

/** A connection on a gateway: `connection(user, "gw1", "phone")`. */
export function connection(userId: string, gatewayId: string, deviceId = "phone"): Connection {
  const connectionId = `${gatewayId}/${userId}/${deviceId}`;
  return create(ConnectionSchema, { connectionId, gatewayId, userId, deviceId, codec: Codec.BINARY });
}
