import assert from "node:assert/strict";
import { Code } from "@connectrpc/connect";
import { startServers, type TestServers } from "@oceanchat/infra/servers-for-tests";
import type { Bus } from "@oceanchat/runtime/bus-types";
import { ServiceError } from "@oceanchat/runtime/fail";
import { streamOf } from "@oceanchat/runtime/streams";
import { bytesText, openBus, publishNumbers, roomStream, textBytes, waitFor } from "../support/bus.ts";

const TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

describe("bus: reads and signals", () => {
  let servers: TestServers;
  let bus: Bus;
  const desc = roomStream("READ", { maxBytes: 64n * 1024n * 1024n });
  const stream = streamOf(desc);
  const subjectOf = (id: string) => stream.subjectOf("room", { id });
  const lastSequences = new Map<string, number>();

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

  it("reads the last messages of many subjects at once, and leaves out what has none", async () => {
    const ids = Array.from({ length: 1200 }, (_, n) => `many-${n}`);
    const odd = ids.filter((_, n) => n % 2 === 1);
    for (const id of [...odd, ...odd.slice(0, 50)]) {
      const { sequence } = await bus.publish(subjectOf(id), textBytes(id), { expectStream: "READ" });
      lastSequences.set(subjectOf(id), sequence);
    }
    const found = await bus.lastBySubjects("READ", ids.map(subjectOf));
    assert.deepEqual(new Map([...found].map(([subject, { sequence }]) => [subject, sequence])), lastSequences);
    assert.equal(bytesText(found.get(subjectOf("many-1"))?.data ?? new Uint8Array()), "many-1");
    assert.equal((await bus.lastBySubjects("READ", [subjectOf("many-0")])).size, 0);
    assert.equal((await bus.lastBySubjects("READ", [])).size, 0);
    const unavailable = (error: unknown) => error instanceof ServiceError && error.code === Code.Unavailable;
    await assert.rejects(bus.lastBySubjects("MISSING", ["a"]), unavailable);
  });

  for (const leader of [false, true]) {
    it(`reads back what was just published, ${leader ? "from the leader" : "directly"}`, async () => {
      for (let n = 0; n < 20; n++) {
        const { sequence } = await bus.publish(subjectOf(`own-${leader}`), textBytes(`ä ${n}`), {
          expectStream: "READ",
          messageId: `read:${leader}:${n}`,
          traceparent: TRACE,
          headers: { "X-Kind": "test" },
        });
        const last = await bus.lastBySubject("READ", subjectOf(`own-${leader}`), { leader });
        assert.equal(last?.sequence, sequence);
        const found = await bus.bySequence("READ", sequence, { leader });
        assert.equal(found?.subject, subjectOf(`own-${leader}`));
        assert.equal(bytesText(found.data), `ä ${n}`);
        assert.equal(found.messageId, `read:${leader}:${n}`);
        assert.equal(found.traceparent, TRACE);
        assert.equal(found.header("X-Kind"), "test");
        assert.equal(found.header("X-Other"), undefined);
        assert.ok(Math.abs(found.time.getTime() - Date.now()) < 5000);
      }
    });

    it(`answers undefined for what is not there, ${leader ? "from the leader" : "directly"}`, async () => {
      assert.equal(await bus.lastBySubject("READ", subjectOf("nobody"), { leader }), undefined);
      assert.equal(await bus.bySequence("READ", 1_000_000, { leader }), undefined);
    });

    it(`throws when the stream can't be reached, ${leader ? "from the leader" : "directly"}`, async () => {
      const unavailable = (error: unknown) => error instanceof ServiceError && error.code === Code.Unavailable;
      await assert.rejects(bus.lastBySubject("MISSING", "a", { leader }), unavailable);
      await assert.rejects(bus.bySequence("MISSING", 1, { leader }), unavailable);
    });
  }

  it("pages through one subject in order", async () => {
    await publishNumbers(bus, stream, ["page", "noise"], 2500);
    const all = await bus.bySubjectFrom("READ", subjectOf("page"), 0, 10_000);
    assert.deepEqual(
      all.map(({ data }) => bytesText(data)),
      Array.from({ length: 2500 }, (_, n) => `page ${n}`),
    );
    const seen = [];
    let next = 1;
    for (;;) {
      const page = await bus.bySubjectFrom("READ", subjectOf("page"), next, 700);
      seen.push(...page);
      const last = page.at(-1);
      if (last === undefined) break;
      assert.ok(page.length === 700 || seen.length === 2500);
      next = last.sequence + 1;
    }
    assert.deepEqual(
      seen.map(({ sequence }) => sequence),
      all.map(({ sequence }) => sequence),
    );
  });

  it("fills a page of large messages, more than one answer may hold", async () => {
    const big = new Uint8Array(60_000);
    for (let n = 0; n < 300; n++) await bus.publish(subjectOf("big"), big, { expectStream: "READ" });
    const page = await bus.bySubjectFrom("READ", subjectOf("big"), 1, 290);
    assert.equal(page.length, 290);
  });

  it("takes an empty message for a message", async () => {
    await bus.publish(subjectOf("empty"), new Uint8Array(), { expectStream: "READ" });
    await bus.publish(subjectOf("empty"), textBytes("x"), { expectStream: "READ" });
    const page = await bus.bySubjectFrom("READ", subjectOf("empty"), 1, 10);
    assert.deepEqual(
      page.map(({ data }) => data.length),
      [0, 1],
    );
  });

  it("answers nothing for an unknown subject, a limit of 0 and a stream's end, and throws for a missing stream", async () => {
    assert.deepEqual(await bus.bySubjectFrom("READ", subjectOf("nobody"), 1, 10), []);
    assert.deepEqual(await bus.bySubjectFrom("READ", subjectOf("page"), 1, 0), []);
    assert.deepEqual(await bus.bySubjectFrom("READ", subjectOf("page"), 1_000_000, 10), []);
    await assert.rejects(bus.bySubjectFrom("MISSING", "a", 1, 10), ServiceError);
  });

  it("delivers signals to whoever listens, and survives a handler that throws", async () => {
    const other = await openBus(servers.natsUrl);
    const heard: string[] = [];
    const { promise, reached } = waitFor("the second signal");
    const end = other.onSignal("signal.test.*", (data, subject) => {
      heard.push(`${subject} ${bytesText(data)}`);
      if (heard.length === 1) throw new Error("the handler's own bug");
      reached();
    });
    // A request over the same connection comes back only after the server has taken the subscription.
    await other.bySequence("READ", 1);
    assert.equal(bus.signal("signal.test.a", textBytes("1")), true);
    assert.equal(bus.signal("signal.test.b", textBytes("2")), true);
    await promise;
    assert.deepEqual(heard, ["signal.test.a 1", "signal.test.b 2"]);
    end();
    await other.close();
    assert.equal(other.signal("signal.test.a", textBytes("3")), false);
  });
});
