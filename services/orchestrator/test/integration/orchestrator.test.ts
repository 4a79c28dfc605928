import assert from "node:assert/strict";
import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { GroupMeshService } from "@oceanchat/gen/oceanchat/group/v1/group_mesh_service_pb";
import { type Connection, PresenceMeshService } from "@oceanchat/gen/oceanchat/presence/v1/presence_mesh_service_pb";
import {
  ConversationSignalSchema,
  type GatewaySignal,
  GatewaySignalSchema,
} from "@oceanchat/gen/oceanchat/push/v1/signals_pb";
import { OfflineTaskSchema, type OnlineTask, OnlineTaskSchema } from "@oceanchat/gen/oceanchat/push/v1/tasks_pb";
import { DirectAudienceSchema, LogEntrySchema } from "@oceanchat/gen/oceanchat/records/v1/log_pb";
import { startServers, type TestServers } from "@oceanchat/infra/servers-for-tests";
import type { Bus } from "@oceanchat/runtime/bus-types";
import { signalOf } from "@oceanchat/runtime/declared-names";
import { shared } from "@oceanchat/runtime/fail";
import { implement } from "@oceanchat/runtime/handlers";
import type { RunningHost } from "@oceanchat/runtime/host";
import { streamOf } from "@oceanchat/runtime/streams";
import { type RunningService, startService, testHost } from "@oceanchat/runtime/testing";
import { start } from "../../src/main.ts";
import type { Entry } from "../../src/ports.ts";
import {
  ALICE,
  BOB,
  CAROL,
  change,
  changeEntry,
  DIRECT,
  directEntry,
  GROUP,
  GROUP_ID,
  groupEntry,
  id,
} from "../support/entries.ts";
import { connection, namedBy } from "../support/fakes.ts";
import { inGroup, receipt, typingSignal } from "../support/passing.ts";

const stream = streamOf(LogEntrySchema);

describe("orchestrator over NATS", () => {
  let servers: TestServers;
  let group: RunningService;
  let presence: RunningService;
  let orchestrator: RunningService | undefined;
  let client: RunningHost;
  let bus: Bus;
  let environment: Record<string, string>;

  /** What the callees say. */
  let members: string[];
  let version: bigint;
  let connections: Connection[];
  let presenceIsDown: boolean;
  let refused: number;

  before(async function () {
    this.timeout(300_000);
    servers = await startServers({ nats: true });
    const groups = implement(GroupMeshService, {
      // Small pages, so that they are turned.
      listMemberIds: ({ afterUserId }) => {
        const rest = members.filter((userId) => userId > afterUserId);
        return { userIds: rest.slice(0, 2), version, hasMore: rest.length > 2 };
      },
    });
    const locations = implement(PresenceMeshService, {
      find: async ({ userIds, slots }) => {
        if (presenceIsDown) {
          refused++;
          throw shared.unavailable("Redis is down");
        }
        const found = connections.filter(({ userId }) => userIds.includes(userId));
        const gatewayIds = [...new Set(found.map(({ gatewayId }) => gatewayId))];
        return {
          connections: found,
          // No stamps: nothing is remembered, each test says anew who is connected.
          userSlots: userIds.map(() => 0),
          userStamps: userIds.map(() => ""),
          stamps: slots.map(() => ""),
          gateways: gatewayIds.map((gatewayId) => ({ gatewayId, address: `${gatewayId}:1` })),
        };
      },
    });
    group = await startService("group", async (host) => void (await host.serve({ mesh: [groups] })));
    presence = await startService("presence", async (host) => void (await host.serve({ mesh: [locations] })));
    environment = {
      OCEANCHAT_NATS_URL: servers.natsUrl,
      OCEANCHAT_GROUP_ADDRESSES: `127.0.0.1:${group.served.meshPort}`,
      OCEANCHAT_PRESENCE_ADDRESSES: `127.0.0.1:${presence.served.meshPort}`,
    };
    client = testHost("client");
    bus = await client.bus(servers.natsUrl);
    await bus.ensureStream(LogEntrySchema);
  });

  beforeEach(() => {
    members = [ALICE, BOB, CAROL];
    version = 1n;
    connections = [];
    presenceIsDown = false;
    refused = 0;
  });

  afterEach(async () => {
    await orchestrator?.host.stop();
    orchestrator = undefined;
  });

  after(async () => {
    await client?.stop();
    await group?.host.stop();
    await presence?.host.stop();
    await servers?.stop();
  });

  async function append({ record, audience }: Entry): Promise<void> {
    const entry = create(LogEntrySchema, { record });
    entry.audience =
      audience.kind === "group"
        ? { case: "groupId", value: audience.groupId }
        : { case: "direct", value: create(DirectAudienceSchema, { userIds: [...audience.userIds] }) };
    const data = toBinary(LogEntrySchema, entry);
    await bus.publish(stream.subjectOf("conversation", { id: record.conversationId }), data, { expectStream: "LOG" });
  }

  /** The tasks of a gateway, once there are that many records in them. */
  async function online(gateway: string, records: number): Promise<OnlineTask[]> {
    for (;;) {
      const stored = await bus.bySubjectFrom("PUSH_ONLINE", `push.online.${gateway}`, 1, 1000);
      const tasks = stored.map(({ data }) => fromBinary(OnlineTaskSchema, data));
      if (tasks.flatMap((task) => task.records).length >= records) return tasks;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  async function offline(conversationId: string, count: number): Promise<string[]> {
    for (;;) {
      const stored = await bus.bySubjectFrom("PUSH_OFFLINE", "push.offline.user.*", 1, 1000);
      const tasks = stored.map(({ data }) => fromBinary(OfflineTaskSchema, data));
      const found = tasks.filter(({ record }) => record?.conversationId === conversationId);
      const lines = found.flatMap((task) => namedBy(task).map((userId) => `${task.record?.seq} ${userId}`));
      if (lines.length >= count) return lines;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  const lines = (tasks: readonly OnlineTask[]) =>
    tasks.flatMap(({ records }) =>
      records.flatMap(({ record, targets }) => targets.map(({ userId }) => `${record?.seq} ${userId}`)),
    );

  it("makes tasks for each gateway, changes of membership exactly at their records", async () => {
    // Bob left at 3 and Carol came at 4; all of it lies in the log before anybody reads it.
    members = [ALICE, CAROL];
    version = 3n;
    connections = [connection(ALICE, "gw1"), connection(BOB, "gw1"), connection(CAROL, "gw2")];
    await append(groupEntry(1));
    await append(groupEntry(2));
    await append(changeEntry(3, change({ left: [BOB], version: 2n })));
    await append(changeEntry(4, change({ joined: [CAROL], version: 3n })));
    await append(groupEntry(5));
    orchestrator = await startService("orchestrator", start, environment);
    const second = await online("gw2", 2);
    const first = await online("gw1", 3);
    assert.deepEqual(lines(first), [`1 ${BOB}`, `2 ${BOB}`, `3 ${BOB}`]);
    assert.deepEqual(lines(second), [`4 ${CAROL}`, `5 ${CAROL}`]);
    assert.equal(second[0]?.gatewayAddress, "gw2:1");
    assert.deepEqual(await offline(GROUP, 0), []);
  });

  it("follows a change while it runs", async () => {
    connections = [connection(BOB, "gw3"), connection(CAROL, "gw3")];
    members = [ALICE, BOB, id(4), id(5)]; // more than one page
    orchestrator = await startService("orchestrator", start, environment);
    await append(groupEntry(6));
    await online("gw3", 1);
    members = [ALICE, CAROL, id(4), id(5)];
    version = 4n;
    await append(changeEntry(7, change({ joined: [CAROL], removed: [BOB], version: 4n })));
    await append(groupEntry(8));
    assert.deepEqual(lines(await online("gw3", 3)), [`6 ${BOB}`, `7 ${BOB}`, `7 ${CAROL}`, `8 ${CAROL}`]);
    assert.deepEqual((await offline(GROUP, 4)).sort(), [`6 ${id(4)}`, `6 ${id(5)}`, `8 ${id(4)}`, `8 ${id(5)}`]);
  });

  it("loses nothing while presence is away", async function () {
    this.timeout(30_000);
    presenceIsDown = true;
    orchestrator = await startService("orchestrator", start, environment);
    for (let seq = 1; seq <= 20; seq++) await append(directEntry(seq));
    const since = Date.now();
    while (refused < 3 || Date.now() - since < 3000) await new Promise((resolve) => setTimeout(resolve, 20));
    connections = [connection(BOB, "gw4")];
    presenceIsDown = false;
    const tasks = await online("gw4", 20);
    assert.deepEqual(
      lines(tasks),
      Array.from({ length: 20 }, (_, index) => `${index + 1} ${BOB}`),
    );
    assert.deepEqual(await offline(DIRECT, 0), []);
  });

  it("hands nothing over twice when NATS is frozen for a while", async function () {
    this.timeout(60_000);
    connections = [connection(BOB, "gw8")];
    orchestrator = await startService("orchestrator", start, environment);
    const count = 400;
    const appended = Promise.all(Array.from({ length: count }, (_, n) => append(directEntry(100 + n))));
    await online("gw8", 1);
    await servers.kill("nats", "SIGSTOP");
    // Longer than a publish waits for its answer.
    await new Promise((resolve) => setTimeout(resolve, 6500));
    await servers.kill("nats", "SIGCONT");
    await appended.catch(() => undefined);
    const held = async () => (await bus.ackFloor("LOG", "orchestrator")) ?? 0;
    const end = (await bus.position("LOG")).lastSequence;
    while ((await held()) < end) await new Promise((resolve) => setTimeout(resolve, 20));
    const handed = lines(await online("gw8", 1));
    assert.equal(handed.length, new Set(handed).size);
    const stored = (await bus.bySubjectFrom("LOG", stream.subjectOf("conversation", { id: DIRECT }), 1, 1000)).length;
    assert.ok(handed.length > 0 && handed.length <= stored);
  });

  it("goes on with direct messages while group is away", async () => {
    members = [];
    connections = [connection(BOB, "gw5")];
    const away = { ...environment, OCEANCHAT_GROUP_ADDRESSES: "127.0.0.1:1" };
    orchestrator = await startService("orchestrator", start, away);
    await append(groupEntry(9));
    for (let seq = 21; seq <= 25; seq++) await append(directEntry(seq));
    assert.deepEqual(lines(await online("gw5", 5)).at(-1), `25 ${BOB}`);
    await orchestrator.host.stop();
    members = [ALICE, BOB];
    orchestrator = await startService("orchestrator", start, environment);
    assert.deepEqual(lines(await online("gw5", 6)).at(-1), `9 ${BOB}`);
  });

  it("hands each signal over once, also to two instances, and to members only", async () => {
    connections = [connection(BOB, "gw6"), connection(CAROL, "gw7"), connection(id(4), "gw7")];
    const heard: GatewaySignal[] = [];
    const { promise, resolve } = Promise.withResolvers<void>();
    const end = bus.onSignal(signalOf(GatewaySignalSchema).filterOf(), (data, subject) => {
      const signal = fromBinary(GatewaySignalSchema, data);
      assert.equal(subject, `push.signal.${signal.gatewayId}`);
      heard.push(signal);
      if (signal.signal?.kind.case === "receipt") resolve();
    });
    orchestrator = await startService("orchestrator", start, environment);
    const other = await startService("orchestrator", start, environment);
    try {
      const send = (init: MessageInitShape<typeof ConversationSignalSchema>) => {
        const signal = create(ConversationSignalSchema, init);
        const subject = signalOf(ConversationSignalSchema).subjectOf({ conversation_id: signal.conversationId });
        bus.signal(subject, toBinary(ConversationSignalSchema, signal));
      };
      const from = { fromUserId: ALICE, signal: typingSignal(ALICE, GROUP) };
      // Nobody can see this one.
      send({ conversationId: GROUP, ...from });
      for (let n = 0; n < 10; n++) {
        send({ conversationId: GROUP, audience: { case: "groupId", value: GROUP_ID }, ...from });
      }
      const direct = { case: "direct" as const, value: { userIds: [ALICE, BOB] } };
      while (heard.length < 20) await new Promise((next) => setTimeout(next, 20));
      send({ conversationId: DIRECT, audience: direct, fromUserId: ALICE, signal: receipt(inGroup).signal });
      await promise;
    } finally {
      end();
      await other.host.stop();
    }
    const told = heard.map(({ gatewayId, targets }) => `${gatewayId} ${targets.map(({ userId }) => userId)}`);
    const expected = [...Array(11).fill(`gw6 ${BOB}`), ...Array(10).fill(`gw7 ${CAROL}`)];
    assert.deepEqual(told.sort(), expected);
    assert.equal(heard[0]?.gatewayAddress, `${heard[0]?.gatewayId}:1`);
  });
});
