import assert from "node:assert/strict";
import { jetstreamManager, RetentionPolicy } from "@nats-io/jetstream";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { DeadLetterSchema } from "@oceanchat/gen/oceanchat/errors/v1/dead_letter_pb";
import { Retention } from "@oceanchat/gen/oceanchat/options/v1/options_pb";
import { startServers, type TestServers } from "@oceanchat/infra/servers-for-tests";
import type { Bus } from "@oceanchat/runtime/bus-types";
import { testHost } from "@oceanchat/runtime/testing";
import { consumerSpec, openBus, prepare, publishNumbers, roomStream } from "../support/bus.ts";

describe("bus: streams and consumers", () => {
  let servers: TestServers;
  let bus: Bus;
  let nc: NatsConnection;

  before(async function () {
    this.timeout(300_000);
    servers = await startServers({ nats: true });
    bus = await openBus(servers.natsUrl);
    nc = await connect({ servers: servers.natsUrl });
  });

  after(async () => {
    await nc.close();
    await bus.close();
    await servers.stop();
  });

  it("makes a stream as it is declared", async () => {
    await bus.ensureStream(roomStream("MADE", { retention: Retention.WORK_QUEUE }), { maxBytes: 123_456 });
    const { config } = await (await jetstreamManager(nc)).streams.info("MADE");
    assert.deepEqual(config.subjects, ["MADE.*.*"]);
    assert.equal(config.retention, "workqueue");
    assert.equal(config.storage, "file");
    assert.equal(config.discard, "new");
    assert.equal(config.allow_direct, true);
    assert.equal(config.max_age, 3600e9);
    assert.equal(config.duplicate_window, 60e9);
    assert.equal(config.max_msg_size, 65_536);
    assert.equal(config.max_bytes, 123_456);
    assert.equal(config.num_replicas, 1);
  });

  it("gives every stream the size and the replicas that the process is told", async () => {
    const host = testHost("sized", { OCEANCHAT_STREAM_MAX_BYTES: "222222" });
    const wide = testHost("wide", { OCEANCHAT_STREAM_REPLICAS: "3" });
    const plain = testHost("plain");
    try {
      const { streams } = await jetstreamManager(nc);
      const maxBytes = async () => (await streams.info("SIZED")).config.max_bytes;
      await (await host.bus(servers.natsUrl)).ensureStream(roomStream("SIZED"));
      assert.equal(await maxBytes(), 222_222);
      await (await plain.bus(servers.natsUrl)).ensureStream(roomStream("SIZED"));
      assert.equal(await maxBytes(), 4 * 1024 * 1024);
      await (await host.bus(servers.natsUrl)).ensureStream(roomStream("SIZED"), { maxBytes: 333_333 });
      assert.equal(await maxBytes(), 333_333);
      const three = (await wide.bus(servers.natsUrl)).ensureStream(roomStream("WIDE"));
      await assert.rejects(three, /replicas > 1 not supported/);
    } finally {
      await Promise.all([host.stop(), wide.stop(), plain.stop()]);
    }
  });

  it("may be asked for by several services at once, and again", async () => {
    const desc = roomStream("SHARED");
    const others = await Promise.all(Array.from({ length: 4 }, () => openBus(servers.natsUrl)));
    try {
      const both = async (one: Bus) => {
        await one.ensureStream(desc);
        await one.ensureConsumer(desc, consumerSpec);
      };
      await Promise.all(others.map(both));
      await Promise.all(others.map(both));
    } finally {
      await Promise.all(others.map((one) => one.close()));
    }
  });

  it("updates what can be updated and keeps the messages", async () => {
    const stream = await prepare(bus, roomStream("GROWS"));
    await publishNumbers(bus, stream, ["a"], 3);
    const subjects = [
      { name: "room", pattern: "GROWS.{partition}.{id}" },
      { name: "user", pattern: "GROWS.user.{partition}.{id}" },
    ];
    await bus.ensureStream(roomStream("GROWS", { subjects, maxAgeSeconds: 7200 }), { maxBytes: 8_000_000 });
    await bus.ensureConsumer(roomStream("GROWS"), { ...consumerSpec, ackWaitMs: 5000, filterSubjects: ["GROWS.1.*"] });
    await bus.ensureConsumer(roomStream("GROWS"), { ...consumerSpec, filterSubjects: ["GROWS.1.*", "GROWS.2.*"] });
    await bus.ensureConsumer(roomStream("GROWS"), consumerSpec);
    assert.equal((await bus.bySubjectFrom("GROWS", "GROWS.>", 1, 10)).length, 3);
  });

  it("names the differences that can't be changed", async () => {
    const jsm = await jetstreamManager(nc);
    await jsm.streams.add({ name: "OTHER", subjects: ["OTHER.*.*"], retention: RetentionPolicy.Workqueue });
    await assert.rejects(
      bus.ensureStream(roomStream("OTHER")),
      /stream OTHER: retention is workqueue, wanted limits.*the server refuses the change/,
    );
  });

  it("names a difference that the server silently keeps", async () => {
    await bus.ensureStream(roomStream("CAPPED"));
    await assert.rejects(
      bus.ensureConsumer(roomStream("CAPPED"), { ...consumerSpec, ackWaitMs: 0 }),
      /consumer worker of CAPPED is not as it was asked for: ack_wait is 30000000000, wanted 0/,
    );
  });

  it("refuses to consume before the consumer and the stream for the dead are there", async () => {
    const fresh = await openBus(servers.natsUrl);
    const options = { stream: "SHARED", consumer: "worker", lanes: 1, laneOf: () => 0, maxBatch: 1, maxInFlight: 1 };
    const consume = () => fresh.consume({ ...options, handle: async () => {} });
    try {
      await assert.rejects(consume(), /ensureConsumer\(worker\) comes before/);
      await fresh.ensureConsumer(roomStream("SHARED"), consumerSpec);
      await assert.rejects(consume(), /ensureStream\(DeadLetterSchema\) comes before/);
      await fresh.ensureStream(DeadLetterSchema, { maxBytes: 4 * 1024 * 1024 });
      await (await consume()).stop();
    } finally {
      await fresh.close();
    }
  });

  it("connects to whichever of several servers answers", async () => {
    const { host } = new URL(servers.natsUrl);
    for (const url of [`nats://127.0.0.1:1,nats://${host}`, `nats://127.0.0.1:1,${host}`]) {
      const other = await openBus(url);
      assert.equal(other.connected(), true);
      await other.close();
    }
  });

  it("can't make a stream without its declaration", async () => {
    await assert.rejects(bus.ensureStream(roomStream("")), TypeError);
  });
});
