import assert from "node:assert/strict";
import { startServers, type TestServers } from "@oceanchat/infra/servers-for-tests";
import { type Bus, PublishError } from "@oceanchat/runtime/bus-types";
import { streamOf } from "@oceanchat/runtime/streams";
import { failureOf, openBus, roomStream, textBytes } from "../support/bus.ts";

describe("bus: publish", () => {
  let servers: TestServers;
  let bus: Bus;
  const desc = roomStream("PUB");
  const stream = streamOf(desc);
  const subjectOf = (id: string) => stream.subjectOf("room", { id });
  const options = { expectStream: "PUB" };

  before(async function () {
    this.timeout(300_000);
    servers = await startServers({ nats: true });
    bus = await openBus(servers.natsUrl);
    await bus.ensureStream(desc);
  });

  after(async () => {
    await bus.close();
    await servers.stop();
  });

  it("answers with the stream's sequence", async () => {
    const first = await bus.publish(subjectOf("a"), textBytes("1"), options);
    const second = await bus.publish(subjectOf("a"), textBytes("2"), options);
    assert.equal(second.sequence, first.sequence + 1);
    assert.equal(second.duplicate, false);
  });

  it("answers a repeat of a message id with the first sequence", async () => {
    const first = await bus.publish(subjectOf("b"), textBytes("1"), { ...options, messageId: "alice:1" });
    const again = await bus.publish(subjectOf("b"), textBytes("1"), { ...options, messageId: "alice:1" });
    assert.deepEqual(again, { sequence: first.sequence, duplicate: true });
  });

  it("compares and sets the subject's last sequence", async () => {
    const cas = (value: number | bigint) =>
      bus.publish(subjectOf("c"), textBytes("x"), { ...options, expectLastSubjectSequence: value });
    const first = await cas(0);
    const second = await cas(BigInt(first.sequence));
    assert.equal(await failureOf(cas(first.sequence)), "conflict");
    assert.equal(await failureOf(cas(0)), "conflict");
    await cas(second.sequence);
  });

  it("lets exactly one of many concurrent appends through", async () => {
    const head = await bus.publish(subjectOf("race"), textBytes("head"), options);
    const results = await Promise.all(
      Array.from({ length: 50 }, () =>
        failureOf(
          bus.publish(subjectOf("race"), textBytes("x"), { ...options, expectLastSubjectSequence: head.sequence }),
        ),
      ),
    );
    assert.equal(results.filter((result) => result === "stored").length, 1);
    assert.equal(results.filter((result) => result === "conflict").length, 49);
  });

  it("checks the expected sequence before the message id: after a conflict the same id with the new head is a duplicate", async () => {
    const publish = (head: number) =>
      bus.publish(subjectOf("order"), textBytes("x"), {
        ...options,
        messageId: "bob:1",
        expectLastSubjectSequence: head,
      });
    const first = await publish(0);
    assert.equal(await failureOf(publish(0)), "conflict");
    const head = await bus.lastBySubject("PUB", subjectOf("order"));
    assert.deepEqual(await publish(head?.sequence ?? -1), { sequence: first.sequence, duplicate: true });
  });

  it("says full when the stream is full, and takes messages again when there is room", async () => {
    const full = roomStream("FULL", { maxBytes: 20_000n });
    await bus.ensureStream(full);
    const publish = () => bus.publish("FULL.0.a", new Uint8Array(5000), { expectStream: "FULL" });
    const results = [];
    for (let n = 0; n < 5; n++) results.push(await failureOf(publish()));
    assert.deepEqual(results, ["stored", "stored", "stored", "full", "full"]);
    await bus.ensureStream(full, { maxBytes: 100_000 });
    await publish();
  });

  it("refuses what is too large, what belongs to another stream and headers that would inject others", async () => {
    const big = bus.publish(subjectOf("d"), new Uint8Array(70_000), options);
    await assert.rejects(
      big,
      (error) => error instanceof PublishError && error.kind === "refused" && error.code === 10054,
    );
    assert.equal(await failureOf(bus.publish(subjectOf("d"), new Uint8Array(2_000_000), options)), "refused");
    assert.equal(await failureOf(bus.publish(subjectOf("d"), textBytes("x"), { expectStream: "OTHER" })), "refused");
    for (const messageId of ["a\r\nNats-Expected-Stream: X", "", " a", "ä", "x".repeat(257)]) {
      assert.equal(await failureOf(bus.publish(subjectOf("d"), textBytes("x"), { ...options, messageId })), "refused");
    }
    const headers = { "X-Note": "a\nb" };
    assert.equal(await failureOf(bus.publish(subjectOf("d"), textBytes("x"), { ...options, headers })), "refused");
    assert.equal(await bus.lastBySubject("PUB", subjectOf("d")), undefined);
  });

  it("says unavailable when no stream takes the subject", async () => {
    assert.equal(
      await failureOf(bus.publish("nowhere.at.all", textBytes("x"), { expectStream: "NOWHERE" })),
      "unavailable",
    );
  });

  it("does not call unknown what was answered while the process itself was held up", async () => {
    const published = Array.from({ length: 500 }, (_, n) =>
      failureOf(bus.publish(subjectOf("held-up"), textBytes(String(n)), { ...options, timeoutMs: 300 })),
    );
    await new Promise((resolve) => setImmediate(resolve));
    for (const end = Date.now() + 600; Date.now() < end; );
    assert.deepEqual(await Promise.all(published), Array(500).fill("stored"));
  });

  it("has a bounded number under way, keeps the order of waiting ones and refuses the rest", async () => {
    const small = await openBus(servers.natsUrl, { maxPublishing: 2, maxWaiting: 10 });
    try {
      const results = await Promise.all(
        Array.from({ length: 20 }, (_, n) => {
          const published = small.publish(subjectOf("window"), textBytes(String(n)), options);
          return published.then(({ sequence }) => sequence).catch((error: PublishError) => error.kind);
        }),
      );
      const stored = results.slice(0, 12);
      assert.deepEqual(
        stored.toSorted((a, b) => Number(a) - Number(b)),
        stored,
      );
      assert.deepEqual(results.slice(12), Array(8).fill("overloaded"));
    } finally {
      await small.close();
    }
  });

  it("publishes nothing after close, and finishes what is under way before", async () => {
    const other = await openBus(servers.natsUrl);
    const under = Array.from({ length: 100 }, () => other.publish(subjectOf("close"), textBytes("x"), options));
    await other.close();
    assert.equal((await Promise.all(under)).length, 100);
    assert.equal(await failureOf(other.publish(subjectOf("close"), textBytes("x"), options)), "unavailable");
  });
});
