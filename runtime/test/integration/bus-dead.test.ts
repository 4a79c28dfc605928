import assert from "node:assert/strict";
import { fromBinary } from "@bufbuild/protobuf";
import { type DeadLetter, DeadLetterSchema } from "@oceanchat/gen/oceanchat/errors/v1/dead_letter_pb";
import { Retention } from "@oceanchat/gen/oceanchat/options/v1/options_pb";
import { startServers, type TestServers } from "@oceanchat/infra/servers-for-tests";
import type { Bus, ConsumeOptions, Outcome } from "@oceanchat/runtime/bus-types";
import {
  bytesText,
  consumerSpec,
  failureOf,
  openBus,
  prepare,
  publishNumbers,
  roomStream,
  waitFor,
} from "../support/bus.ts";

describe("bus: messages that can never be handled", () => {
  let servers: TestServers;
  let bus: Bus;

  before(async function () {
    this.timeout(300_000);
    servers = await startServers({ nats: true });
    bus = await openBus(servers.natsUrl);
  });

  after(async () => {
    await bus.close();
    await servers.stop();
  });

  const letters = async (stream: string): Promise<DeadLetter[]> => {
    const found = await bus.bySubjectFrom("DEAD", `dead.${stream}`, 1, 100);
    return found.map(({ data }) => fromBinary(DeadLetterSchema, data));
  };

  /** Waits until nothing is left in a queue: the acknowledgements reach the server after the handler. */
  const untilEmpty = async (stream: string) => {
    while ((await bus.bySubjectFrom(stream, `${stream}.>`, 1, 10)).length > 0);
  };

  /** Consumes until `count` messages were handled, then stops; returns them. */
  const consumeAll = async (stream: string, count: number, options: Partial<ConsumeOptions>): Promise<string[]> => {
    const handled: string[] = [];
    const { promise, reached } = waitFor(`${count} messages of ${stream}`);
    const consumption = await bus.consume({
      stream,
      consumer: consumerSpec.name,
      lanes: 2,
      laneOf: () => 0,
      maxBatch: 8,
      maxInFlight: 100,
      retryDelayMs: () => 2,
      ...options,
      handle: async (batch): Promise<readonly Outcome[]> => {
        const outcomes = (await options.handle?.(batch)) ?? batch.map(() => "ack" as const);
        for (const [index, { data }] of batch.entries()) if (outcomes[index] === "ack") handled.push(bytesText(data));
        if (handled.length === count) reached();
        return outcomes;
      },
    });
    await promise;
    await consumption.stop();
    assert.equal(await consumption.lag(), 0);
    return handled;
  };

  it("moves what the handler calls dead and handles the rest", async () => {
    const stream = await prepare(bus, roomStream("POISON", { retention: Retention.WORK_QUEUE }));
    await publishNumbers(bus, stream, ["a"], 20);
    const handled = await consumeAll("POISON", 19, {
      handle: async (batch): Promise<Outcome[]> =>
        batch.map(({ data }): Outcome => (bytesText(data) === "a 5" ? { dead: "can't be\r\nread: ä" } : "ack")),
    });
    assert.equal(handled.includes("a 5"), false);
    const [letter, ...others] = await letters("POISON");
    assert.deepEqual(others, []);
    assert.ok(letter);
    assert.equal(letter.stream, "POISON");
    assert.equal(letter.subject, stream.subjectOf("room", { id: "a" }));
    assert.equal(letter.sequence, 6n);
    assert.equal(letter.consumer, consumerSpec.name);
    assert.equal(letter.deliveries, 1);
    assert.equal(letter.reason, "can't be\r\nread: ä");
    assert.equal(bytesText(letter.payload), "a 5");
    await untilEmpty("POISON");
  });

  it("moves a message for which no lane can be found", async () => {
    const stream = await prepare(bus, roomStream("NOLANE"));
    await publishNumbers(bus, stream, ["a"], 5);
    await consumeAll("NOLANE", 4, {
      laneOf: ({ data }) => {
        if (bytesText(data) === "a 2") throw new RangeError("illegal tag");
        return 0;
      },
    });
    assert.deepEqual(
      (await letters("NOLANE")).map(({ reason, sequence }) => [reason, sequence]),
      [["no lane: illegal tag", 3n]],
    );
  });

  it("finds the one message of a batch that makes the handler throw", async () => {
    const stream = await prepare(bus, roomStream("THROWS"));
    await publishNumbers(bus, stream, ["a"], 30);
    const handled = await consumeAll("THROWS", 29, {
      handle: async (batch) => {
        if (batch.some(({ data }) => bytesText(data) === "a 13")) throw new TypeError("a bug");
      },
      poison: ({ attempts }, error) => (error instanceof TypeError && attempts > 1 ? "makes us fail" : undefined),
    });
    assert.deepEqual(
      handled,
      Array.from({ length: 30 }, (_, n) => `a ${n}`).filter((text) => text !== "a 13"),
    );
    assert.deepEqual(
      (await letters("THROWS")).map(({ reason }) => reason),
      ["makes us fail"],
    );
  });

  /** What a process does that is given so many messages and dies of them; what it has not begun it would give back. */
  const die = async (stream: string, count: number): Promise<void> => {
    const { promise, reached } = waitFor(`${count} messages of ${stream}`);
    let begun = 0;
    const consumption = await bus.consume({
      ...{ stream, consumer: consumerSpec.name, lanes: count, maxBatch: 8, maxInFlight: 100 },
      laneOf: ({ sequence }) => sequence,
      handle: () => {
        if (++begun === count) reached();
        return new Promise<void>(() => {});
      },
    });
    await promise;
    await consumption.stop(0);
  };

  it("moves what the handler fails on at the last delivery, and keeps trying before", async () => {
    const spec = { ...consumerSpec, ackWaitMs: 1500, maxDeliver: 2 };
    const stream = await prepare(bus, roomStream("WORN"), spec);
    await publishNumbers(bus, stream, ["a"], 2);
    await die("WORN", 2);
    await publishNumbers(bus, stream, ["a"], 1, 2);
    const tries = new Map<string, number>();
    const handled = await consumeAll("WORN", 2, {
      handle: async (batch) => {
        const texts = batch.map(({ data }) => bytesText(data));
        for (const text of texts) tries.set(text, (tries.get(text) ?? 0) + 1);
        if (texts.includes("a 0")) throw new TypeError("a bug");
        if (texts.includes("a 2") && (tries.get("a 2") ?? 0) < 4) throw new TypeError("trouble elsewhere");
      },
    });
    assert.deepEqual(handled.toSorted(), ["a 1", "a 2"]);
    assert.deepEqual(
      (await letters("WORN")).map(({ sequence, deliveries, reason }) => [sequence, deliveries, reason]),
      [[1n, 2, "failed at delivery 2, the last: a bug"]],
    );
  });

  it("moves what no process has survived, without handling it once more", async () => {
    const spec = { ...consumerSpec, ackWaitMs: 500, maxDeliver: 1 };
    const stream = await prepare(bus, roomStream("DEADLY", { retention: Retention.WORK_QUEUE }), spec);
    await publishNumbers(bus, stream, ["a"], 1);
    await die("DEADLY", 1);
    await publishNumbers(bus, stream, ["a"], 1, 1);
    const seen: string[] = [];
    const { promise, reached } = waitFor("the letter");
    const consumption = await bus.consume({
      ...{ stream: "DEADLY", consumer: consumerSpec.name, lanes: 1, laneOf: () => 0, maxBatch: 8, maxInFlight: 100 },
      handle: async (batch) => void seen.push(...batch.map(({ data }) => bytesText(data))),
    });
    const look = setInterval(() => void letters("DEADLY").then(({ length }) => length > 0 && reached()), 20);
    await promise.finally(() => clearInterval(look));
    await consumption.stop();
    assert.deepEqual(seen, ["a 1"]);
    assert.deepEqual(
      (await letters("DEADLY")).map(({ sequence, reason }) => [sequence, reason]),
      [[1n, "delivered 1 times and never handled"]],
    );
    await untilEmpty("DEADLY");
  });

  it("keeps a dead message, and the lane behind it, as long as the DEAD stream is full", async () => {
    const stream = await prepare(bus, roomStream("KEPT"));
    await publishNumbers(bus, stream, ["a"], 3);
    const fill = { expectStream: "DEAD" };
    while ((await failureOf(bus.publish("dead.filler", new Uint8Array(500_000), fill))) === "stored");
    while ((await failureOf(bus.publish("dead.filler", new Uint8Array(10), fill))) === "stored");
    let asked = 0;
    const { promise: twice, resolve } = Promise.withResolvers<void>();
    const all = consumeAll("KEPT", 2, {
      maxBatch: 1,
      handle: async (batch): Promise<Outcome[]> =>
        batch.map(({ data }): Outcome => {
          if (bytesText(data) !== "a 0") return "ack";
          if (++asked === 3) resolve();
          return { dead: "never" };
        }),
    });
    await twice;
    assert.deepEqual(await letters("KEPT"), []);
    await bus.ensureStream(DeadLetterSchema, { maxBytes: 8 * 1024 * 1024 });
    assert.deepEqual(await all, ["a 1", "a 2"]);
    assert.equal((await letters("KEPT")).length, 1);
  });

  it("keeps where it came from when the message is too large to be moved", async () => {
    const desc = roomStream("LARGE", { maxMessageBytes: 1_048_576 });
    const stream = await prepare(bus, desc);
    await bus.ensureStream(DeadLetterSchema, { maxBytes: 16 * 1024 * 1024 });
    const size = 1_048_500;
    await bus.publish(stream.subjectOf("room", { id: "a" }), new Uint8Array(size), { expectStream: "LARGE" });
    await publishNumbers(bus, stream, ["a"], 1);
    await consumeAll("LARGE", 1, {
      handle: async (batch): Promise<Outcome[]> =>
        batch.map(({ data }): Outcome => (data.length === size ? { dead: "too large" } : "ack")),
    });
    const [letter] = await letters("LARGE");
    assert.match(letter?.reason ?? "", /^too large \(payload of 1048500 bytes dropped/);
    assert.equal(letter?.sequence, 1n);
  });
});
