import assert from "node:assert/strict";
import { jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { startServers, type TestServers } from "@oceanchat/infra/servers-for-tests";
import type { Bus, Following, StreamPosition } from "@oceanchat/runtime/bus-types";
import type { ServiceError } from "@oceanchat/runtime/fail";
import { streamOf } from "@oceanchat/runtime/streams";
import { openBus, prepare, publishNumbers, roomStream } from "../support/bus.ts";

describe("bus: following a stream", function () {
  this.timeout(60_000);
  let servers: TestServers;
  let bus: Bus;
  const followings: Following[] = [];

  before(async function () {
    this.timeout(300_000);
    servers = await startServers({ nats: true });
    bus = await openBus(servers.natsUrl);
  });

  afterEach(async () => {
    await Promise.all(followings.splice(0).map((following) => following.stop()));
  });

  after(async () => {
    await bus.close();
    await servers.stop();
  });

  /** What was seen; begins at the first message that a service with that floor wants. */
  function follow(stream: string, floor = 0) {
    const seen: number[] = [];
    const begun: StreamPosition[] = [];
    const following = bus.follow({
      stream,
      from: async (position) => {
        begun.push(position);
        return floor + 1;
      },
      handle: ({ sequence }) => seen.push(sequence),
    });
    followings.push(following);
    return { following, seen, begun, reached: async () => following.reached(await bus.position(stream), 15_000) };
  }

  /** Another client, for what services can't do. */
  async function administer<T>(act: (jsm: Awaited<ReturnType<typeof jetstreamManager>>) => Promise<T>): Promise<T> {
    const nc = await connect({ servers: servers.natsUrl.replace("nats://", "") });
    try {
      return await act(await jetstreamManager(nc));
    } finally {
      await nc.close();
    }
  }

  const upTo = (last: number, first = 1) => Array.from({ length: last - first + 1 }, (_, i) => first + i);

  it("sees one subject only when it is told so", async () => {
    const stream = await prepare(bus, roomStream("FOLLOWONE"));
    await publishNumbers(bus, stream, ["a", "b"], 3);
    const seen: string[] = [];
    const subject = stream.subjectOf("room", { id: "b" });
    const following = bus.follow({
      stream: "FOLLOWONE",
      subject,
      from: async () => 1,
      handle: (message) => seen.push(message.subject),
    });
    followings.push(following);
    await publishNumbers(bus, stream, ["a", "b"], 1, 3);
    await following.reached(await bus.position("FOLLOWONE"), 15_000);
    assert.deepEqual(seen, [subject, subject, subject, subject]);
  });

  it("sees everything from where it is told, once and in order, and what comes then", async () => {
    const desc = roomStream("FOLLOW");
    await bus.ensureStream(desc);
    const stream = streamOf(desc);
    await publishNumbers(bus, stream, ["a", "b"], 1500);
    const { seen, reached } = follow("FOLLOW", 100);
    await reached();
    assert.deepEqual(seen, upTo(3000, 101));
    await publishNumbers(bus, stream, ["c"], 3000);
    await reached();
    assert.deepEqual(seen, upTo(6000, 101));
  });

  it("tells subjects", async () => {
    const desc = roomStream("SUBJECTS");
    await bus.ensureStream(desc);
    const stream = streamOf(desc);
    const ids: (string | undefined)[] = [];
    const following = bus.follow({
      stream: "SUBJECTS",
      from: async () => 1,
      handle: ({ subject }) => ids.push(stream.parse(subject)?.tokens.id),
    });
    followings.push(following);
    await publishNumbers(bus, stream, ["x", "y"], 1);
    await following.reached(await bus.position("SUBJECTS"), 5000);
    assert.deepEqual(ids.toSorted(), ["x", "y"]);
  });

  it("knows at once that there is nothing to see", async () => {
    await bus.ensureStream(roomStream("EMPTY"));
    const { reached, seen } = follow("EMPTY");
    await reached();
    assert.deepEqual(seen, []);
  });

  it("doesn't wait for messages that were removed before they came", async () => {
    const desc = roomStream("PURGED");
    await bus.ensureStream(desc);
    await publishNumbers(bus, streamOf(desc), ["a"], 10);
    await administer((jsm) => jsm.streams.purge("PURGED"));
    const late = follow("PURGED");
    await late.reached();
    assert.deepEqual(late.seen, []);
    // While it is followed: the awaited message doesn't exist.
    const awaited = { ...(await bus.position("PURGED")), lastSequence: 25 };
    await late.following.reached(awaited, 5000);
  });

  it("asks the server once for all who wait, not for each of them", async () => {
    const desc = roomStream("MANYWAIT");
    await bus.ensureStream(desc);
    await publishNumbers(bus, streamOf(desc), ["a"], 3);
    const { following, reached } = follow("MANYWAIT");
    await reached();
    const nc = await connect({ servers: servers.natsUrl.replace("nats://", "") });
    try {
      let asked = 0;
      nc.subscribe("$JS.API.CONSUMER.INFO.MANYWAIT.>", { callback: () => void asked++ });
      await nc.flush();
      const { createdMs } = await bus.position("MANYWAIT");
      const waiting = Array.from({ length: 50 }, (_, n) =>
        following.reached({ createdMs, lastSequence: 4 + n }, 15_000),
      );
      await Promise.all(waiting);
      await nc.flush();
      assert.ok(asked >= 1 && asked <= 10, `${asked} questions`);
    } finally {
      await nc.close();
    }
  });

  it("says UNAVAILABLE when the awaited place isn't reached in time", async () => {
    const { following } = follow("MISSING");
    await assert.rejects(
      following.reached({ createdMs: 1, lastSequence: 1 }, 300),
      ({ reason }: ServiceError) => reason === "ERROR_REASON_UNAVAILABLE",
    );
    await assert.rejects(bus.position("MISSING"), { reason: "ERROR_REASON_UNAVAILABLE" });
  });

  it("begins anew when its consumer is gone", async () => {
    const desc = roomStream("DELETED");
    await bus.ensureStream(desc);
    await publishNumbers(bus, streamOf(desc), ["a"], 5);
    const { seen, begun, reached } = follow("DELETED", 2);
    await reached();
    await administer(async (jsm) => {
      for await (const { name } of jsm.consumers.list("DELETED")) await jsm.consumers.delete("DELETED", name);
    });
    await publishNumbers(bus, streamOf(desc), ["a"], 1);
    while (begun.length < 2) await new Promise((resolve) => setImmediate(resolve));
    await reached();
    assert.deepEqual(seen.slice(-4), [3, 4, 5, 6]);
  });

  it("loses nothing when the server is killed under load", async () => {
    const desc = roomStream("RESTART");
    await bus.ensureStream(desc);
    const stream = streamOf(desc);
    const { seen, begun, reached } = follow("RESTART");
    let publishing = true;
    const publish = (async () => {
      for (let n = 0; publishing; n++) await publishNumbers(bus, stream, ["a"], 1, n).catch(() => undefined);
    })();
    while (seen.length < 300) await new Promise((resolve) => setImmediate(resolve));
    await servers.kill("nats");
    await servers.untilReady("nats");
    while (!bus.connected()) await new Promise((resolve) => setImmediate(resolve));
    const before = seen.length;
    while (seen.length < before + 300) await new Promise((resolve) => setImmediate(resolve));
    publishing = false;
    await publish;
    await reached();
    const { lastSequence } = await bus.position("RESTART");
    assert.ok(begun.length >= 2);
    assert.deepEqual(
      [...new Set(seen)].sort((a, b) => a - b),
      upTo(lastSequence),
    );
  });

  it("notices a stream that was made anew under its name", async () => {
    const desc = roomStream("ANEW");
    await bus.ensureStream(desc);
    await publishNumbers(bus, streamOf(desc), ["a"], 20);
    const { seen, begun, reached } = follow("ANEW");
    await reached();
    await administer((jsm) => jsm.streams.delete("ANEW"));
    seen.length = 0;
    await bus.ensureStream(desc);
    await publishNumbers(bus, streamOf(desc), ["b"], 3);
    await reached();
    assert.deepEqual(seen, [1, 2, 3]);
    assert.notEqual(begun.at(-1)?.createdMs, begun[0]?.createdMs);
  });

  it("says up to where a consumer has acknowledged", async () => {
    const stream = await prepare(bus, roomStream("FLOOR"));
    assert.equal(await bus.ackFloor("FLOOR", "nobody"), undefined);
    assert.equal(await bus.ackFloor("FLOOR", "worker"), 0);
    await publishNumbers(bus, stream, ["a"], 3);
    const done = Promise.withResolvers<void>();
    const consumption = await bus.consume({
      stream: "FLOOR",
      consumer: "worker",
      lanes: 1,
      laneOf: () => 0,
      maxBatch: 10,
      maxInFlight: 10,
      handle: async (batch) => {
        if (batch.at(-1)?.sequence === 3) done.resolve();
      },
    });
    await done.promise;
    await consumption.stop();
    while ((await bus.ackFloor("FLOOR", "worker")) !== 3) await new Promise((resolve) => setImmediate(resolve));
  });
});
