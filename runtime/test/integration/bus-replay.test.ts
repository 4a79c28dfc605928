import assert from "node:assert/strict";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  type DeadLetter,
  DeadLetterSchema,
  ReplayedLetterSchema,
} from "@oceanchat/gen/oceanchat/errors/v1/dead_letter_pb";
import { Retention } from "@oceanchat/gen/oceanchat/options/v1/options_pb";
import { startServers, type TestServers } from "@oceanchat/infra/servers-for-tests";
import type { Bus, ConsumeOptions, Consumption, Delivered, Outcome } from "@oceanchat/runtime/bus-types";
import { bytesText, consumerSpec, openBus, prepare, roomStream, textBytes } from "../support/bus.ts";

describe("bus: dead letters that come back", function () {
  this.timeout(60_000);
  let servers: TestServers;
  let bus: Bus;
  const consumptions: Consumption[] = [];

  before(async function () {
    this.timeout(300_000);
    servers = await startServers({ nats: true });
    bus = await openBus(servers.natsUrl);
  });

  afterEach(async () => {
    await Promise.all(consumptions.splice(0).map((each) => each.stop()));
  });

  after(async () => {
    await bus.close();
    await servers.stop();
  });

  /** Consumes and hands everything to `each`, one by one; what was delivered can be awaited. */
  const consume = async (stream: string, each: (text: string) => Outcome, options: Partial<ConsumeOptions> = {}) => {
    const delivered: Delivered[] = [];
    const waiting: { readonly count: number; readonly resolve: () => void }[] = [];
    const consumption = await bus.consume({
      ...{ stream, consumer: consumerSpec.name, lanes: 2, laneOf: () => 0, maxBatch: 4, maxInFlight: 100 },
      retryDelayMs: () => 5,
      handle: async (batch) => {
        delivered.push(...batch);
        for (const { count, resolve } of waiting) if (delivered.length >= count) resolve();
        return batch.map(({ data }) => each(bytesText(data)));
      },
      ...options,
    });
    consumptions.push(consumption);
    const until = (count: number) =>
      new Promise<void>((resolve) => {
        waiting.push({ count, resolve });
        if (delivered.length >= count) resolve();
      });
    return { delivered, until, consumption };
  };

  const letters = async (stream: string) => {
    const found = await bus.bySubjectFrom("DEAD", `dead.${stream}`, 1, 100);
    return found.map(({ sequence, data }) => ({ sequence, letter: fromBinary(DeadLetterSchema, data) }));
  };

  /** Waits until a stream has so many letters. */
  const dead = async (stream: string, count: number) => {
    for (;;) {
      const found = await letters(stream);
      if (found.length >= count) return found;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };

  const replay = (letter: DeadLetter, deadSequence: number, consumer = letter.consumer) => {
    const bytes = toBinary(
      ReplayedLetterSchema,
      create(ReplayedLetterSchema, { letter, deadSequence: BigInt(deadSequence) }),
    );
    return bus.publish(`replay.${letter.stream}.${consumer}`, bytes, {
      expectStream: "REPLAY",
      messageId: String(deadSequence),
    });
  };

  /** Waits until nothing is left to be given back. */
  const replayedAll = async () => {
    while ((await bus.bySubjectFrom("REPLAY", "replay.>", 1, 1)).length > 0) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };

  it("come to the handler that gave them up as the messages that they were, and to no other", async () => {
    const desc = roomStream("BACK");
    const stream = await prepare(bus, desc);
    await bus.ensureConsumer(desc, { ...consumerSpec, name: "bystander" });
    let cured = false;
    const subject = stream.subjectOf("room", { id: "a" });
    await bus.publish(subject, textBytes("bad"), {
      expectStream: "BACK",
      messageId: "its-own-id",
      traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    });
    const worker = await consume("BACK", () => (cured ? "ack" : { dead: "not yet" }));
    const bystander = await consume("BACK", () => "ack", { consumer: "bystander" });
    const [first] = await dead("BACK", 1);
    assert.ok(first);
    cured = true;
    await replay(first.letter, first.sequence);
    await worker.until(2);
    await bystander.until(1);
    await replayedAll();
    const [before, after] = worker.delivered;
    assert.ok(before !== undefined && after !== undefined);
    assert.deepEqual(
      [after.sequence, after.subject, bytesText(after.data), after.messageId, after.traceparent],
      [before.sequence, subject, "bad", "its-own-id", before.traceparent],
    );
    assert.equal(after.time.getTime(), before.time.getTime());
    assert.equal(after.header("Nats-Msg-Id"), "its-own-id");
    assert.equal(after.deliveries, 1);
    assert.equal(worker.delivered.length, 2);
    assert.equal(bystander.delivered.length, 1);
    assert.equal((await letters("BACK")).length, 1);
  });

  it("die again into a letter of their own when they fail again", async () => {
    const stream = await prepare(bus, roomStream("AGAIN"));
    let tries = 0;
    const subject = stream.subjectOf("room", { id: "a" });
    await bus.publish(subject, textBytes("bad"), { expectStream: "AGAIN" });
    await consume("AGAIN", () => ({ dead: `try ${++tries}` }));
    const [first] = await dead("AGAIN", 1);
    assert.ok(first);
    await replay(first.letter, first.sequence);
    const [, second] = await dead("AGAIN", 2);
    assert.ok(second);
    await replay(second.letter, second.sequence);
    const all = await dead("AGAIN", 3);
    await replayedAll();
    assert.deepEqual(
      all.map(({ letter }) => [letter.reason, letter.deliveries, letter.sequence, letter.subject, letter.consumer]),
      [1, 2, 3].map((count) => [`try ${count}`, count, 1n, subject, "worker"]),
    );
    assert.deepEqual(
      all.map(({ letter }) => bytesText(letter.payload)),
      ["bad", "bad", "bad"],
    );
  });

  it("are asked about as poison like the message itself", async () => {
    const stream = await prepare(bus, roomStream("ASKED"));
    await bus.publish(stream.subjectOf("room", { id: "a" }), textBytes("bad"), { expectStream: "ASKED" });
    const asked: string[] = [];
    await consume(
      "ASKED",
      () => {
        throw new TypeError("a bug");
      },
      {
        maxBatch: 1,
        poison: ({ subject, data, attempts }, error) => {
          asked.push(`${subject} ${bytesText(data)} ${attempts}`);
          return attempts === 1 ? String(error) : undefined;
        },
      },
    );
    const [first] = await dead("ASKED", 1);
    assert.ok(first);
    await replay(first.letter, first.sequence);
    const [, second] = await dead("ASKED", 2);
    assert.equal(second?.letter.reason, "TypeError: a bug");
    assert.deepEqual(asked, [...asked.slice(0, 2), ...asked.slice(0, 2)]);
    assert.equal(asked.length, 4);
  });

  it("come back without their headers when the stream has them no more", async () => {
    const desc = roomStream("TAKEN", { retention: Retention.WORK_QUEUE });
    const stream = await prepare(bus, desc);
    await bus.publish(stream.subjectOf("room", { id: "a" }), textBytes("bad"), {
      expectStream: "TAKEN",
      messageId: "its-own-id",
    });
    let cured = false;
    const { delivered, until } = await consume("TAKEN", () => (cured ? "ack" : { dead: "not yet" }));
    const [first] = await dead("TAKEN", 1);
    assert.ok(first);
    // It is gone once its acknowledgement has come to the server.
    while ((await bus.bySequence("TAKEN", 1)) !== undefined);
    cured = true;
    await replay(first.letter, first.sequence);
    await until(2);
    const again = delivered[1];
    assert.equal(again?.messageId, undefined);
    assert.equal(again?.sequence, 1);
    assert.equal(bytesText(again?.data ?? new Uint8Array()), "bad");
  });

  it("are not mistaken for another message at their place", async () => {
    const stream = await prepare(bus, roomStream("ANEW"));
    const subject = stream.subjectOf("room", { id: "a" });
    await bus.publish(subject, textBytes("another"), { expectStream: "ANEW", messageId: "another-id" });
    const { delivered, until } = await consume("ANEW", () => "ack");
    await until(1);
    const payload = textBytes("of the stream before");
    const letter = create(DeadLetterSchema, { stream: "ANEW", consumer: "worker", subject, sequence: 1n, payload });
    await replay(letter, 100_001);
    await until(2);
    assert.equal(bytesText(delivered[1]?.data ?? new Uint8Array()), "of the stream before");
    assert.equal(delivered[1]?.messageId, undefined);
  });

  it("are completed from the stream when they were too large for a letter, and given up when it is gone", async () => {
    const stream = await prepare(bus, roomStream("LARGE"));
    const subject = stream.subjectOf("room", { id: "a" });
    await bus.publish(subject, textBytes("large"), { expectStream: "LARGE" });
    const { delivered, until } = await consume("LARGE", () => "ack");
    await until(1);
    const base = { stream: "LARGE", consumer: "worker", subject, reason: "too large" };
    await replay(create(DeadLetterSchema, { ...base, sequence: 1n }), 100_002);
    await until(2);
    assert.equal(bytesText(delivered[1]?.data ?? new Uint8Array()), "large");
    await replay(create(DeadLetterSchema, { ...base, sequence: 77n }), 100_003);
    const [letter] = await dead("LARGE", 1);
    assert.equal(letter?.letter.reason, "too large; it is gone by now");
    assert.equal(delivered.length, 2);
  });

  it("keep nothing waiting while they fail, neither live messages nor letters of other subjects", async () => {
    const stream = await prepare(bus, roomStream("STUCK"));
    const [bad, good] = ["bad", "good"].map((id) => stream.subjectOf("room", { id }));
    assert.ok(bad !== undefined && good !== undefined);
    let broken = true;
    const done: string[] = [];
    const { promise: three, resolve } = Promise.withResolvers<void>();
    await consume("STUCK", () => "ack", {
      handle: async (batch) => {
        const texts = batch.map(({ data }) => bytesText(data));
        if (broken && texts.includes("bad letter")) throw new Error("out of reach");
        done.push(...texts);
        if (done.length === 4) resolve();
      },
    });
    const letterOf = (subject: string, text: string) =>
      create(DeadLetterSchema, {
        stream: "STUCK",
        consumer: "worker",
        subject,
        sequence: 500n,
        payload: textBytes(text),
      });
    for (let n = 0; n < 2; n++) await replay(letterOf(bad, "bad letter"), 100_010 + n);
    await replay(letterOf(good, "good letter"), 100_020);
    await bus.publish(bad, textBytes("live"), { expectStream: "STUCK" });
    while (done.length < 2) await new Promise((wait) => setTimeout(wait, 20));
    assert.deepEqual(done.toSorted(), ["good letter", "live"]);
    broken = false;
    await three;
    assert.deepEqual(done.toSorted(), ["bad letter", "bad letter", "good letter", "live"]);
    assert.deepEqual(await letters("STUCK"), []);
  });

  it("that are none die under the name of the replay itself", async () => {
    await prepare(bus, roomStream("NONSENSE"));
    await consume("NONSENSE", () => "ack");
    await bus.publish("replay.NONSENSE.worker", Uint8Array.of(0xff), { expectStream: "REPLAY" });
    const [letter] = await dead("REPLAY", 1);
    assert.equal(letter?.letter.consumer, "NONSENSE-worker");
    assert.match(letter?.letter.reason ?? "", /^no lane: /);
  });

  it("wait for a consumer that isn't running", async () => {
    const stream = await prepare(bus, roomStream("AWAY"));
    const first = await consume("AWAY", () => "ack");
    await first.consumption.stop();
    const subject = stream.subjectOf("room", { id: "a" });
    const payload = textBytes("kept");
    const letter = create(DeadLetterSchema, { stream: "AWAY", consumer: "worker", subject, sequence: 1n, payload });
    await replay(letter, 100_030);
    assert.equal((await replay(letter, 100_030)).duplicate, true, "the same letter twice at once is one");
    const second = await consume("AWAY", () => "ack");
    await second.until(1);
    await replayedAll();
    assert.equal(first.delivered.length, 0);
    assert.equal(second.delivered.length, 1);
  });
});
