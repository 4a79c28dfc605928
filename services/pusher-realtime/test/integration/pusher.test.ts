import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { DeadLetterSchema } from "@oceanchat/gen/oceanchat/errors/v1/dead_letter_pb";
import { GatewayMeshService } from "@oceanchat/gen/oceanchat/gateway/v1/gateway_mesh_service_pb";
import { PresenceMeshService } from "@oceanchat/gen/oceanchat/presence/v1/presence_mesh_service_pb";
import { GatewaySignalSchema } from "@oceanchat/gen/oceanchat/push/v1/signals_pb";
import { OfflineTaskSchema, type OnlineTask, OnlineTaskSchema } from "@oceanchat/gen/oceanchat/push/v1/tasks_pb";
import { startServers, type TestServers } from "@oceanchat/infra/servers-for-tests";
import type { Bus } from "@oceanchat/runtime/bus-types";
import { signalOf } from "@oceanchat/runtime/declared-names";
import { implement } from "@oceanchat/runtime/handlers";
import type { RunningHost } from "@oceanchat/runtime/host";
import { unpackUuids } from "@oceanchat/runtime/packed-uuids";
import { streamOf } from "@oceanchat/runtime/streams";
import { type RunningService, startService, testHost } from "@oceanchat/runtime/testing";
import { CONSUMER } from "../../src/consumer.ts";
import { start } from "../../src/main.ts";
import { FakePresence, said } from "../support/fakes.ts";
import { addressed, message, target, task } from "../support/records.ts";

const online = streamOf(OnlineTaskSchema);
const offline = streamOf(OfflineTaskSchema);

/** A gateway that writes down what it is given. */
interface Gateway {
  readonly service: RunningService;
  readonly address: string;
  readonly connections: Set<string>;
  readonly log: string[];
  silent: boolean;
  /** How long each packet takes it, one after another, in milliseconds. */
  slowMs: number;
}

describe("pusher-realtime over NATS", () => {
  let servers: TestServers;
  let presence: RunningService;
  let pusher: RunningService | undefined;
  let client: RunningHost;
  let bus: Bus;
  let where: FakePresence;
  let gateways: Gateway[];
  let environment: Record<string, string>;
  let conversation = 0;
  let seq = 0;

  before(async function () {
    this.timeout(300_000);
    servers = await startServers({ nats: true });
    const locate = implement(PresenceMeshService, { locate: ({ userIds }) => where.locate(userIds) });
    presence = await startService("presence", async (host) => void (await host.serve({ mesh: [locate] })));
    environment = {
      OCEANCHAT_NATS_URL: servers.natsUrl,
      OCEANCHAT_PRESENCE_ADDRESSES: `127.0.0.1:${presence.served.meshPort}`,
    };
    client = testHost("client");
    bus = await client.bus(servers.natsUrl);
    await bus.ensureStream(OnlineTaskSchema);
    await bus.ensureStream(OfflineTaskSchema);
  });

  beforeEach(async () => {
    where = new FakePresence();
    gateways = [];
    conversation++;
    seq = 0;
    pusher = await startService("pusher-realtime", start, environment);
  });

  afterEach(async () => {
    await pusher?.host.stop();
    for (const { service } of gateways) await service.host.stop();
  });

  after(async () => {
    await client?.stop();
    await presence?.host.stop();
    await servers?.stop();
  });

  async function gateway(...connections: string[]): Promise<Gateway> {
    const held = new Set(connections);
    const log: string[] = [];
    const state = { silent: false, slowMs: 0 };
    let before: Promise<unknown> = Promise.resolve();
    const deliver = implement(GatewayMeshService, {
      deliver: async ({ connectionIds, payload }) => {
        log.push(`${said(payload)} → ${connectionIds.join(" ")}`);
        if (state.silent) await new Promise(() => undefined);
        if (state.slowMs > 0) {
          before = before.then(() => new Promise((resolve) => setTimeout(resolve, state.slowMs)));
          await before;
        }
        return { unknownConnectionIds: connectionIds.filter((id) => !held.has(id)) };
      },
    });
    const service = await startService("ws-gateway", async (host) => void (await host.serve({ mesh: [deliver] })));
    const made = Object.assign(state, {
      service,
      connections: held,
      log,
      address: `127.0.0.1:${service.served.meshPort}`,
    });
    gateways.push(made);
    return made;
  }

  const next = () =>
    message(++seq, `text ${seq}`, { conversationId: `c${conversation}`, recordId: `r${conversation}-${seq}` });

  async function publish(onlineTask: OnlineTask): Promise<void> {
    const subject = online.subjectOf("gateway", { gateway: `gateway-${conversation}` });
    await bus.publish(subject, toBinary(OnlineTaskSchema, onlineTask), { expectStream: online.name });
  }

  /** Resolves when all tasks are acknowledged: a work queue is empty then. */
  async function untilDone(): Promise<void> {
    while ((await bus.bySubjectFrom(online.name, "push.online.*", 1, 1)).length > 0) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  async function told(when: "user" | "later" = "user"): Promise<string[]> {
    const stored = await bus.bySubjectFrom(offline.name, `push.offline.${when}.*`, 1, 1000);
    return stored
      .map(({ data }) => fromBinary(OfflineTaskSchema, data))
      .filter(({ record }) => record?.conversationId.split("-")[0] === `c${conversation}`)
      .flatMap(({ record, userId, packedUserIds }) =>
        (userId === "" ? unpackUuids(packedUserIds) : [userId]).map((each) => `${record?.seq} ${each}`),
      );
  }

  it("writes what it is given, in order, and is done", async () => {
    const gw = await gateway("bob/1", "carol/1");
    for (let n = 0; n < 30; n++) await publish(task([addressed(next(), ["bob/1", "carol/1"])], gw.address));
    await untilDone();
    const seqs = gw.log.flatMap((line) => line.split(" ")[0]?.split(",") ?? []).map(Number);
    assert.deepEqual(
      seqs,
      Array.from({ length: 30 }, (_, n) => n + 1),
    );
    assert.ok(gw.log.every((line) => line.endsWith("→ bob/1 carol/1")));
    assert.deepEqual(await told(), []);
  });

  it("tells a user offline once, also when the orchestrator has", async () => {
    const gw = await gateway("carol/1");
    const record = next();
    const data = toBinary(OfflineTaskSchema, create(OfflineTaskSchema, { userId: "bob", record }));
    const subject = offline.subjectOf("user", { id: "bob" });
    await bus.publish(subject, data, { expectStream: offline.name, messageId: `${record.recordId}:bob` });
    const again = addressed(record, ["bob/1", "bob/2", "carol/1"]);
    await publish(task([again, addressed(next(), ["bob/1"])], gw.address));
    await publish(task([again], gw.address)); // delivered again
    await untilDone();
    assert.deepEqual((await told()).sort(), ["1 bob", "2 bob"]);
  });

  it("finds the users of a gateway that has died", async () => {
    const dead = await gateway("bob/1", "carol/1");
    const alive = await gateway("bob/2");
    await publish(task([addressed(next(), ["bob/1"])], dead.address));
    await untilDone();
    await dead.service.host.stop();
    where.where = { "bob/2": alive.address, "carol/1": dead.address };
    for (let n = 0; n < 5; n++) await publish(task([addressed(next(), ["bob/1", "carol/1"])], dead.address));
    await untilDone();
    // Bob's new connection may have what came later already. Carol is where her gateway was, as far as presence knows.
    assert.equal(alive.log.at(-1), "hint 6 → bob/2");
    assert.ok(alive.log.every((line) => line.startsWith("hint ")));
    assert.deepEqual(await told(), []);
    assert.deepEqual((await told("later")).sort(), ["2 carol", "3 carol", "4 carol", "5 carol", "6 carol"]);
  });

  it("gives a silent gateway up, and others don't wait for it", async function () {
    this.timeout(60_000);
    const silent = await gateway("bob/1");
    silent.silent = true;
    const other = await gateway("carol/1");
    await publish(task([addressed(next(), ["bob/1"])], silent.address));
    const subject = online.subjectOf("gateway", { gateway: "another" });
    const data = toBinary(OnlineTaskSchema, task([addressed(next(), ["carol/1"])], other.address));
    await bus.publish(subject, data, { expectStream: online.name });
    while (other.log.length === 0) await new Promise((resolve) => setTimeout(resolve, 20));
    assert.deepEqual(await told(), []);
    await untilDone();
    assert.deepEqual(await told(), ["1 bob"]);
    assert.equal(silent.log.length, 1);
  });

  it("gives nothing twice to a gateway that is slow", async function () {
    this.timeout(40_000);
    const slow = await gateway("bob/1");
    slow.slowMs = 800;
    const records = Array.from({ length: 12 }, (_, n) =>
      addressed(message(n + 1, "x", { conversationId: `c${conversation}-${n}` }), ["bob/1"]),
    );
    await publish(task(records, slow.address));
    await untilDone();
    const lines = records.map(({ record }) => `${record.seq} → bob/1`);
    assert.deepEqual(slow.log, lines);
    assert.deepEqual(await told(), []);
  });

  it("sends poison to the dead, and the rest goes on", async () => {
    const gw = await gateway("bob/1");
    const subject = online.subjectOf("gateway", { gateway: `gateway-${conversation}` });
    await bus.publish(subject, new Uint8Array([0xff, 0xff]), { expectStream: online.name });
    await publish(create(OnlineTaskSchema, { gatewayAddress: gw.address, records: [{ targets: [target("bob/1")] }] }));
    await publish(task([addressed(next(), ["bob/1"])], gw.address));
    await untilDone();
    assert.deepEqual(gw.log, ["1 → bob/1"]);
    const letters = await bus.bySubjectFrom("DEAD", "dead.PUSH_ONLINE", 1, 10);
    assert.deepEqual(
      letters.map(({ data }) => fromBinary(DeadLetterSchema, data).reason),
      ["not an online task", "a task without a record"],
    );
  });

  it("sends to the dead what five processes took and did not live to acknowledge, and writes it to nobody", async function () {
    this.timeout(60_000);
    await pusher?.host.stop();
    const gw = await gateway("bob/1");
    await publish(task([addressed(next(), ["bob/1"])], gw.address));
    const spec = { filterSubjects: ["push.online.*"], ackWaitMs: 10_000, maxAckPending: 4096, maxDeliver: 5 };
    await bus.ensureStream(DeadLetterSchema);
    await bus.ensureConsumer(OnlineTaskSchema, { name: CONSUMER, ...spec });
    for (let deliveries = 1; deliveries <= 5; deliveries++) {
      // Takes the task, never begins with it, and is gone.
      const waiting = { lanes: 0, laneOf: () => 0, maxBatch: 100, maxInFlight: 100 };
      const handle = () => Promise.reject(new Error("nothing is to be handled here"));
      const process = await bus.consume({ stream: online.name, consumer: CONSUMER, ...waiting, handle });
      while (process.held().messages === 0) await new Promise((resolve) => setTimeout(resolve, 10));
      await process.stop(0);
    }
    pusher = await startService("pusher-realtime", start, environment);
    await publish(task([addressed(next(), ["bob/1"])], gw.address));
    await untilDone();
    const letters = await bus.bySubjectFrom("DEAD", "dead.PUSH_ONLINE", 1, 10);
    const { reason, consumer, deliveries } = fromBinary(DeadLetterSchema, letters.at(-1)?.data ?? new Uint8Array());
    assert.deepEqual([reason, consumer, deliveries], ["delivered 5 times and never handled", CONSUMER, 6]);
    assert.deepEqual(gw.log, ["2 → bob/1"]);
    assert.deepEqual(await told(), []);
  });

  it("tells once of each record whose connections are gone, whatever their number", async () => {
    const gw = await gateway();
    const [first, second] = [next(), next()];
    const [bob, carol] = [randomUUID(), randomUUID()];
    const both = addressed(first, [`${bob}/1`, `${bob}/2`, `${carol}/1`]);
    await publish(task([both, addressed(second, [`${bob}/1`])], gw.address));
    await publish(task([both, addressed(second, [`${bob}/2`])], gw.address));
    await untilDone();
    assert.deepEqual((await told()).sort(), [`1 ${bob}`, `1 ${carol}`, `2 ${bob}`].sort());
  });

  it("writes each signal once, also with two instances, while another gateway is silent", async () => {
    const silent = await gateway("bob/1");
    silent.silent = true;
    const gw = await gateway("bob/1", "carol/1/json");
    const other = await startService("pusher-realtime", start, environment);
    try {
      const signal = {
        kind: { case: "typing" as const, value: { conversationId: "c", userId: "alice", active: true } },
      };
      for (let n = 0; n < 20; n++) {
        const address = n % 2 === 0 ? gw.address : silent.address;
        const init = {
          gatewayId: "gw",
          gatewayAddress: address,
          targets: ["bob/1", "carol/1/json"].map(target),
          signal,
        };
        const subject = signalOf(GatewaySignalSchema).subjectOf({ gateway: init.gatewayId });
        bus.signal(subject, toBinary(GatewaySignalSchema, create(GatewaySignalSchema, init)));
      }
      while (gw.log.length < 20 || silent.log.length < 20) await new Promise((resolve) => setTimeout(resolve, 20));
    } finally {
      await other.host.stop();
    }
    const expected = [...Array(10).fill("signal → bob/1"), ...Array(10).fill("signal → carol/1/json")];
    assert.deepEqual(gw.log.sort(), expected);
    assert.deepEqual(silent.log.sort(), expected);
  });
});
