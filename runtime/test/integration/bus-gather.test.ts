import assert from "node:assert/strict";
import { type JetStreamManager, jetstreamManager } from "@nats-io/jetstream";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { startServers, type TestServers } from "@oceanchat/infra/servers-for-tests";
import type { Bus, ConsumeOptions } from "@oceanchat/runtime/bus-types";
import { bytesText, consumerSpec, openBus, prepare, publishNumbers, roomStream, waitFor } from "../support/bus.ts";

describe("bus: messages that wait for others in the server", function () {
  this.timeout(60_000);
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
      laneOf: ({ subject }) => subject,
      maxBatch: 1000,
      maxInFlight: 1000,
      ...options,
    });

  /** Counts what is sent to a subject. */
  async function countOf(subject: string) {
    const seen = { times: 0 };
    nc.subscribe(subject, { callback: () => void seen.times++ });
    await nc.flush();
    return seen;
  }

  it("hands the first over at once and those that come then together", async () => {
    const stream = await prepare(bus, roomStream("GATHER"));
    const requests = await countOf(`$JS.API.CONSUMER.MSG.NEXT.GATHER.${consumerSpec.name}`);
    const batches: number[] = [];
    const first = waitFor("the first message");
    const all = waitFor("41 messages");
    const consumption = await consume("GATHER", {
      lingerMs: 2000,
      handle: async (batch) => {
        batches.push(batch.length);
        first.reached();
        if (batches.reduce((sum, size) => sum + size) === 41) all.reached();
      },
    });
    const since = performance.now();
    await publishNumbers(bus, stream, ["a"], 1);
    await first.promise;
    assert.ok(performance.now() - since < 1500, "the first has not waited");
    await Promise.all(Array.from({ length: 40 }, (_, n) => publishNumbers(bus, stream, ["a"], 1, n + 1)));
    await all.promise;
    await nc.flush();
    assert.deepEqual(batches, [1, 40]);
    assert.ok(requests.times <= 3, `${requests.times} requests`);
    await consumption.stop();
  });

  it("takes a backlog without waiting, in order, and never holds more than it may", async () => {
    const stream = await prepare(bus, roomStream("BACKLOG"));
    await publishNumbers(bus, stream, ["a", "b"], 500);
    const seen: string[] = [];
    const all = waitFor("1000 messages", 20_000);
    let most = 0;
    const since = performance.now();
    const consumption = await consume("BACKLOG", {
      lingerMs: 5000,
      maxBatch: 20,
      maxInFlight: 80,
      handle: async (batch) => {
        most = Math.max(most, consumption.held().messages);
        await new Promise((resolve) => setImmediate(resolve));
        seen.push(...batch.map(({ data }) => bytesText(data)));
        if (seen.length >= 960) all.reached();
      },
    });
    await all.promise;
    assert.ok(performance.now() - since < 4500, "it has waited");
    assert.ok(most <= 80, `held ${most}`);
    for (const room of ["a", "b"]) {
      const numbers = seen.filter((text) => text.startsWith(room));
      assert.deepEqual(
        numbers,
        numbers.map((_, n) => `${room} ${n}`),
      );
    }
    await consumption.stop();
  });

  it("acknowledges several messages together, and what is left when it is closed", async () => {
    const own = await openBus(servers.natsUrl);
    const stream = await prepare(own, roomStream("ACKS"));
    await publishNumbers(bus, stream, ["a"], 20);
    const all = waitFor("20 messages");
    let held = 0;
    let handled = 0;
    const handle = async () => {
      const { num_ack_pending } = await jsm.consumers.info("ACKS", consumerSpec.name);
      held = Math.max(held, num_ack_pending - (20 - handled));
      if (++handled === 20) all.reached();
    };
    await consume("ACKS", { handle, lanes: 1, maxBatch: 1 }, own);
    await all.promise;
    await own.close();
    assert.ok(held > 1, `${held} were handled and not acknowledged`);
    while ((await jsm.consumers.info("ACKS", consumerSpec.name)).num_ack_pending > 0);
  });

  it("gives whoever waits for it what a follower has left in the server", async () => {
    const stream = await prepare(bus, roomStream("FOLLOWLATER"));
    const seen: number[] = [];
    const requests = await countOf("$JS.API.CONSUMER.MSG.NEXT.FOLLOWLATER.*");
    const following = bus.follow({
      stream: "FOLLOWLATER",
      gatherMs: 60_000,
      from: async () => 1,
      handle: ({ sequence }) => seen.push(sequence),
    });
    const reached = async () => following.reached(await bus.position("FOLLOWLATER"), 15_000);
    await publishNumbers(bus, stream, ["a"], 1);
    await reached();
    await nc.flush();
    const before = requests.times;
    await publishNumbers(bus, stream, ["a"], 100, 1);
    await reached();
    await nc.flush();
    assert.equal(seen.length, 101);
    assert.ok(requests.times - before <= 4, `${requests.times - before} requests`);
    await following.stop();
  });

  it("goes on after the server was killed, and loses nothing", async () => {
    const stream = await prepare(bus, roomStream("KILLED"));
    const seen = new Set<string>();
    const before = waitFor("the first half");
    const all = waitFor("all", 20_000);
    const consumption = await consume("KILLED", {
      lingerMs: 50,
      handle: async (batch) => {
        for (const { data } of batch) seen.add(bytesText(data));
        if (seen.size >= 50) before.reached();
        if (seen.size === 100) all.reached();
      },
    });
    await publishNumbers(bus, stream, ["a"], 50);
    await before.promise;
    await servers.kill("nats");
    await servers.untilReady("nats");
    while (!bus.connected()) await new Promise((resolve) => setImmediate(resolve));
    await publishNumbers(bus, stream, ["a"], 50, 50);
    await all.promise;
    await consumption.stop();
  });
});
