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
import { unpackUuids } from "@oceanchat/runtime/packed-uuids";
import { Locator, type LocatorNeeds } from "../../src/core/locator.ts";
import type {
  Answer,
  Groups,
  LimitedMemberList,
  Log,
  MemberList,
  Presence,
  Push,
  Question,
  Task,
} from "../../src/ports.ts";

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

/** Presence with one slot, whose stamp follows from what is connected. */
export class FakePresence implements Presence {
  connections: Connection[] = [];
  /** How many users each question was about. */
  readonly asked: number[] = [];
  readonly questions: Question[] = [];
  readonly deadGateways = new Set<string>();
  /** Whether slots have stamps; they have none when Redis has lost everything. */
  stamped = true;
  rebuilding = false;
  down = false;

  get #stamp(): string {
    return this.stamped ? `s ${this.connections.map(({ connectionId }) => connectionId).join()}` : "";
  }

  async find(question: Question): Promise<Answer> {
    if (this.down) throw new Error("presence is down");
    const { userIds, slots } = question;
    this.asked.push(userIds.length);
    this.questions.push(question);
    const stamp = this.#stamp;
    const wanted = new Set(userIds);
    const connections = this.connections.filter(({ userId }) => wanted.has(userId));
    const gatewayIds = new Set([...question.gatewayIds, ...connections.map(({ gatewayId }) => gatewayId)]);
    const gateways = [...gatewayIds]
      .filter((gatewayId) => !this.deadGateways.has(gatewayId))
      .map((gatewayId) => create(GatewaySchema, { gatewayId, address: `${gatewayId}:1` }));
    return {
      connections,
      userSlots: userIds.map(() => 0),
      userStamps: userIds.map(() => stamp),
      stamps: slots.map(() => stamp),
      gateways,
      rebuilding: this.rebuilding,
    };
  }
}

/** A locator that asks it, at a time of its own, without timers unless `after` is given. */
export const locatorOver = (presence: Presence, now = () => 0, after: LocatorNeeds["after"] = () => () => undefined) =>
  new Locator({ presence, now, after });

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

/** The users that a task names, in either form. */
export function namedBy({ userId, packedUserIds }: OfflineTask): string[] {
  return userId === "" ? unpackUuids(packedUserIds) : [userId];
}

/** A connection on a gateway: `connection(user, "gw1", "phone")`. */
export function connection(userId: string, gatewayId: string, deviceId = "phone"): Connection {
  const connectionId = `${gatewayId}/${userId}/${deviceId}`;
  return create(ConnectionSchema, { connectionId, gatewayId, userId, deviceId, codec: Codec.BINARY });
}
