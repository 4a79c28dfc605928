import assert from "node:assert/strict";
import { type JetStreamManager, jetstreamManager } from "@nats-io/jetstream";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { Retention } from "@oceanchat/gen/oceanchat/options/v1/options_pb";
import { startServers, type TestServers } from "@oceanchat/infra/servers-for-tests";
import type { Bus, ConsumeOptions, Delivered, Outcome } from "@oceanchat/runtime/bus-types";
import {
  bytesText,
  consumerSpec,
  openBus,
  prepare,
  publishNumbers,
  roomStream,
  textBytes,
  waitFor,
} from "../support/bus.ts";

const roomOf = ({ subject }: { readonly subject: string }) => subject.split(".").at(-1) ?? "";
const numbersOf = (room: string, count: number) => Array.from({ length: count }, (_, n) => `${room} ${n}`);

describe("bus: consume", () => {
  let servers: TestServers;
  let bus: Bus;
  let nc: NatsConnection;
  let jsm: JetStreamManager;

  before(async function () {
    this.timeout(300_000);
    servers = await startServers({ nats: true });
    bus = await openBus(servers.natsUrl);
    nc = await connect({ servers: servers.natsUrl });
    jsm = await jetstreamManager(nc);
  });

  after(async () => {
    await nc.close();
    await bus.close();
    await servers.stop();
  });

  const consume = (stream: string, options: Partial<ConsumeOptions> & Pick<ConsumeOptions, "handle">, on = bus) =>
    on.consume({
      stream,
      consumer: consumerSpec.name,
      lanes: 4,
      laneOf: roomOf,
      maxBatch: 10,
      maxInFlight: 100,
      ...options,
    });

  /** The consumer's acknowledgements reach the server after the handler: asks until it has them. */
  const untilAcknowledged = async (stream: string) => {
    for (;;) {
      const info = await jsm.consumers.info(stream, consumerSpec.name);
      if (info.num_ack_pending === 0 && info.num_pending === 0) return info;
    }
  };

  it("hands every message over, in order within a lane, and acknowledges it", async () => {
    const stream = await prepare(bus, roomStream("ALL"));
    const rooms = ["a", "b", "c", "d", "e", "f"];
    await publishNumbers(bus, stream, rooms, 50);
    const seen: string[] = [];
    const { promise, reached } = waitFor("600 messages");
    const consumption = await consume("ALL", {
      handle: async (batch) => {
        assert.equal(new Set(batch.map(roomOf)).size, 1, "a batch is of one lane");
        await new Promise((resolve) => setImmediate(resolve));
        seen.push(...batch.map(({ data }) => bytesText(data)));
        if (seen.length === 600) reached();
      },
    });
    await publishNumbers(bus, stream, rooms, 50, 50);
    await promise;
    for (const room of rooms) {
      assert.deepEqual(
        seen.filter((text) => text.startsWith(room)),
        numbersOf(room, 100),
      );
    }
    const info = await untilAcknowledged("ALL");
    assert.equal(info.num_redelivered, 0);
    assert.equal(await consumption.lag(), 0);
    await consumption.stop();
    assert.deepEqual(consumption.held(), { messages: 0, lanes: 0, running: 0 });
  });

  it("keeps the order of a lane while its batches fail, and does not hold up the other lanes", async () => {
    const stream = await prepare(bus, roomStream("RETRY"));
    const rooms = ["a", "b", "c"];
    await publishNumbers(bus, stream, rooms, 40);
    const seen: string[] = [];
    const done = { a: waitFor("a"), bc: waitFor("b and c") };
    let down = true;
    let failures = 0;
    const consumption = await consume("RETRY", {
      retryDelayMs: () => 5,
      handle: async (batch) => {
        if (roomOf(batch[0] ?? { subject: "" }) === "a") {
          if (down || failures++ % 3 !== 2) throw new Error("the database is down");
        }
        seen.push(...batch.map(({ data }) => bytesText(data)));
        if (seen.length === 80) done.bc.reached();
        if (seen.length === 120) done.a.reached();
      },
    });
    await done.bc.promise;
    assert.equal(seen.filter((text) => text.startsWith("a")).length, 0);
    down = false;
    await done.a.promise;
    for (const room of rooms) {
      assert.deepEqual(
        seen.filter((text) => text.startsWith(room)),
        numbersOf(room, 40),
      );
    }
    assert.equal((await untilAcknowledged("RETRY")).num_redelivered, 0);
    await consumption.stop();
  });

  it("retries a single message after the time asked for, before the rest of its lane", async () => {
    const stream = await prepare(bus, roomStream("AGAIN"));
    await publishNumbers(bus, stream, ["a"], 20);
    const seen: string[] = [];
    const { promise, reached } = waitFor("20 messages");
    let asked = 0;
    let waited = 0;
    const consumption = await consume("AGAIN", {
      maxBatch: 1,
      handle: async (batch): Promise<Outcome[]> =>
        batch.map((message): Outcome => {
          const text = bytesText(message.data);
          if (text === "a 7" && message.attempts === 0) {
            asked = performance.now();
            return { retryAfterMs: 100 };
          }
          if (text === "a 7") waited = performance.now() - asked;
          seen.push(text);
          if (seen.length === 20) reached();
          return "ack";
        }),
    });
    await promise;
    assert.ok(waited >= 99, `came back after ${waited} ms`);
    assert.deepEqual(seen, numbersOf("a", 20));
    await consumption.stop();
  });

  it("does not let messages be delivered again while they are handled longer than ack_wait", async () => {
    const stream = await prepare(bus, roomStream("SLOW"), { ...consumerSpec, ackWaitMs: 1500 });
    await publishNumbers(bus, stream, ["a", "b"], 2);
    const deliveries: number[] = [];
    const { promise, reached } = waitFor("4 messages");
    const consumption = await consume("SLOW", {
      maxBatch: 1,
      handle: async (batch) => {
        await new Promise((resolve) => setTimeout(resolve, 2000));
        deliveries.push(...batch.map((message) => message.deliveries));
        if (deliveries.length === 4) reached();
      },
    });
    await promise;
    const info = await untilAcknowledged("SLOW");
    assert.deepEqual(deliveries, [1, 1, 1, 1]);
    assert.equal(info.delivered.consumer_seq, 4, "the server delivered each once");
    await consumption.stop();
  });

  it("never holds more than it may", async () => {
    const stream = await prepare(bus, roomStream("BOUND"));
    await publishNumbers(bus, stream, ["a"], 300);
    const { promise: gate, resolve: open } = Promise.withResolvers<void>();
    const { promise, reached } = waitFor("300 messages");
    let handled = 0;
    let most = 0;
    const consumption = await consume("BOUND", {
      maxBatch: 7,
      maxInFlight: 40,
      handle: async (batch) => {
        most = Math.max(most, consumption.held().messages);
        await gate;
        handled += batch.length;
        if (handled === 300) reached();
      },
    });
    while (consumption.held().messages < 40) await bus.bySequence("BOUND", 1);
    assert.equal((await jsm.consumers.info("BOUND", consumerSpec.name)).num_ack_pending, 40);
    assert.equal(await consumption.lag(), 260);
    open();
    await promise;
    // The batches may begin before all that was asked for has come.
    assert.ok(most <= 40, `held ${most}`);
    await consumption.stop();
  });

  it("removes acknowledged messages from a work queue, and only those", async () => {
    const stream = await prepare(bus, roomStream("QUEUE", { retention: Retention.WORK_QUEUE }));
    await publishNumbers(bus, stream, ["a", "b"], 10);
    const { promise, reached } = waitFor("room a");
    const consumption = await consume("QUEUE", {
      handle: async (batch) => {
        if (roomOf(batch[0] ?? { subject: "" }) === "b") throw new Error("not b");
        if (batch.some(({ data }) => bytesText(data) === "a 9")) reached();
      },
    });
    await promise;
    await consumption.stop();
    // The acknowledgements reach the server after the handler.
    const remaining = async () =>
      (await bus.bySubjectFrom("QUEUE", "QUEUE.>", 1, 100)).map(({ data }) => bytesText(data));
    let left = await remaining();
    while (left.some((text) => text.startsWith("a"))) left = await remaining();
    assert.deepEqual(left, numbersOf("b", 10));
  });

  it("ends running batches when it stops and hands back what was not begun at once", async () => {
    const stream = await prepare(bus, roomStream("STOP"));
    await publishNumbers(bus, stream, ["a"], 30);
    const begun = waitFor("the first batch");
    const { promise: gate, resolve: open } = Promise.withResolvers<void>();
    const first: string[] = [];
    const texts = (batch: readonly Delivered[]) => batch.map(({ data }) => bytesText(data));
    const stopping = await consume("STOP", {
      handle: async (batch) => {
        begun.reached();
        await gate;
        first.push(...texts(batch));
      },
    });
    await begun.promise;
    while (stopping.held().messages < 30) await bus.bySequence("STOP", 1);
    const stopped = stopping.stop();
    open();
    await stopped;
    // It begins with what the first packet brought, which needn't be a full batch.
    assert.ok(first.length >= 1 && first.length <= 10, `${first.length} at once`);
    assert.deepEqual(first, numbersOf("a", first.length));
    const second: string[] = [];
    const { promise, reached } = waitFor("the rest");
    const next = await consume("STOP", {
      handle: async (batch) => {
        second.push(...texts(batch));
        if (first.length + second.length === 30) reached();
      },
    });
    await promise;
    // The server may give back a message that it had just in hand as the last.
    assert.deepEqual(second.toSorted(), numbersOf("a", 30).slice(first.length));
    await next.stop();
  });

  it("makes a deleted consumer again and goes on", async () => {
    const stream = await prepare(bus, roomStream("GONE"));
    await publishNumbers(bus, stream, ["a"], 3);
    const seen = new Set<string>();
    const three = waitFor("3 messages");
    const four = waitFor("the fourth");
    const consumption = await consume("GONE", {
      handle: async (batch) => {
        for (const { data } of batch) seen.add(bytesText(data));
        if (seen.size === 3) three.reached();
        if (seen.size === 4) four.reached();
      },
    });
    await three.promise;
    await jsm.consumers.delete("GONE", consumerSpec.name);
    await bus.publish("GONE.0.a", textBytes("a 3"), { expectStream: "GONE" });
    await four.promise;
    await untilAcknowledged("GONE");
    await consumption.stop();
  });

  it("shares a consumer between processes without handling a message twice", async () => {
    const stream = await prepare(bus, roomStream("SHARE"));
    const other = await openBus(servers.natsUrl);
    await prepare(other, roomStream("SHARE"));
    const seen: string[] = [];
    const { promise, reached } = waitFor("400 messages");
    const handle = async (batch: readonly Delivered[]) => {
      seen.push(...batch.map(({ data }) => bytesText(data)));
      if (seen.length === 400) reached();
    };
    const both = await Promise.all([consume("SHARE", { handle }), consume("SHARE", { handle }, other)]);
    await publishNumbers(bus, stream, ["a", "b", "c", "d"], 100);
    await promise;
    assert.equal(new Set(seen).size, 400);
    await Promise.all(both.map((consumption) => consumption.stop()));
    await other.close();
  });
});
