import assert from "node:assert/strict";
import { Codec } from "@oceanchat/gen/oceanchat/records/v1/codec_pb";
import type { Closing } from "../../src/core/closing.ts";
import { Counters } from "../../src/core/counters.ts";
import { Outgoing } from "../../src/core/frames.ts";
import type { Wire } from "../../src/ports.ts";
import { Session, type SessionLimits } from "../../src/session.ts";

class FakeWire implements Wire {
  readonly framing = "length prefix";
  unsentBytes = 0;
  receivedBytes = 0;
  isCut = false;
  paused = false;
  closing: Closing | undefined;
  written: string[] = [];
  #sent: (() => void)[] = [];

  write(frame: Buffer): void {
    this.unsentBytes += frame.length;
    this.written.push(frame.subarray(4).toString());
  }
  onceSent(then: () => void): void {
    this.#sent.push(then);
  }
  allSent(): void {
    this.unsentBytes = 0;
    for (const then of this.#sent.splice(0)) then();
  }
  pause(): void {
    this.paused = true;
  }
  resume(): void {
    this.paused = false;
  }
  close(closing: Closing): void {
    this.closing = closing;
  }
  cut(): void {
    this.isCut = true;
  }
  closedWith(): number | undefined {
    return this.closing?.code;
  }
}

const settle = () => new Promise((resolve) => setImmediate(resolve));

function setUp(changed: Partial<SessionLimits> = {}) {
  const limits: SessionLimits = {
    packetsPerSecond: 1_000,
    packetsBurst: 10_000,
    bytesPerSecond: 1_000_000,
    bytesBurst: 10_000_000,
    packetsInFlight: 2,
    softBufferBytes: 1_000,
    hardBufferBytes: 3_000,
    stallMs: 100,
    idleMs: 1_000,
    ...changed,
  };
  const clock = { nowMs: 0 };
  const uplinks: { text: string; answer(text: string): Promise<void> }[] = [];
  const ended: number[] = [];
  let lagging = 0;
  const wire = new FakeWire();
  const counters = new Counters();
  const session = new Session(
    {
      limits,
      counters,
      now: () => clock.nowMs,
      uplink: (_session, payload) =>
        new Promise((resolve) => {
          uplinks.push({
            text: Buffer.from(payload).toString(),
            answer: async (text) => {
              resolve(Buffer.from(text));
              await settle();
            },
          });
        }),
      onLag: () => lagging++,
      onEnd: (_session, code) => ended.push(code),
    },
    wire,
    {
      id: "c_1",
      caller: { userId: "u", sessionId: "s", deviceId: "d", platform: "" },
      codec: Codec.BINARY,
      connectedMs: 0,
      hello: () => Buffer.from("hello"),
    },
  );
  const receive = (text: string) => session.receive(Buffer.from(text));
  const deliver = (text: string, hint?: string, key = "", order = 0n) => {
    const instead = hint === undefined ? undefined : { key, order, packet: new Outgoing(Buffer.from(hint)) };
    session.deliver(new Outgoing(Buffer.from(text)), instead);
  };
  return { session, wire, clock, uplinks, ended, counters, receive, deliver, lagging: () => lagging };
}

describe("Session", () => {
  it("forwards nothing before hello, and reads no more", () => {
    const { session, wire, uplinks, receive } = setUp();
    receive("a");
    assert.deepEqual([uplinks.length, wire.written.length, wire.paused], [0, 0, true]);
    session.open();
    assert.deepEqual(wire.written, ["hello"]);
    assert.deepEqual([uplinks[0]?.text, wire.paused], ["a", false]);
    session.open();
    assert.deepEqual(wire.written, ["hello"]);
  });

  it("has so many packets on the way, reads on when one is answered, and keeps the order", async () => {
    const { session, wire, uplinks, receive } = setUp();
    session.open();
    receive("a");
    assert.equal(wire.paused, false);
    receive("b");
    assert.equal(wire.paused, true);
    receive("c");
    assert.deepEqual(
      uplinks.map(({ text }) => text),
      ["a", "b"],
    );
    await uplinks[1]?.answer("B");
    assert.deepEqual(
      uplinks.map(({ text }) => text),
      ["a", "b", "c"],
    );
    assert.equal(wire.paused, true);
    await uplinks[0]?.answer("");
    assert.equal(wire.paused, false);
    assert.deepEqual(wire.written, ["hello", "B"]);
  });

  it("answers heartbeats, and forwards none", () => {
    const { session, wire, uplinks, receive, counters } = setUp();
    receive("");
    session.open();
    receive("");
    assert.deepEqual(wire.written, ["hello", ""]);
    assert.equal(uplinks.length, 0);
    assert.equal(counters.heartbeats, 2);
  });

  it("writes an answer to nobody who has gone", async () => {
    const { session, wire, uplinks, receive, ended } = setUp();
    session.open();
    receive("a");
    session.gone(1006);
    await uplinks[0]?.answer("A");
    session.tell(Buffer.from("x"));
    receive("b");
    assert.deepEqual(wire.written, ["hello"]);
    assert.deepEqual(ended, [1006]);
    session.close({ code: 1001, reason: "" });
    assert.equal(wire.closedWith(), undefined);
  });

  it("closes when more packets wait than one reading can hold", () => {
    const { wire, receive, ended } = setUp();
    for (let i = 0; i < 1_025; i++) receive("x");
    assert.equal(wire.closedWith(), 4429);
    assert.deepEqual(ended, [4429]);
  });

  it("sends hints above the soft limit, records again when all is sent", () => {
    const { session, wire, deliver, counters, lagging } = setUp();
    session.open();
    deliver("x".repeat(1_100), "hint 1");
    deliver("record 2", "hint 2");
    deliver("signal");
    deliver("record 3", "hint 3");
    wire.allSent();
    deliver("record 4", "hint 4");
    assert.deepEqual(
      wire.written.map((text) => text.slice(0, 8)),
      ["hello", "xxxxxxxx", "hint 2", "hint 3", "record 4"],
    );
    assert.deepEqual([counters.hinted, counters.dropped, lagging()], [2, 1, 1]);
    assert.equal(session.checkLag(), false);
  });

  it("sends one hint for each key, the newest, when all is sent", () => {
    const { session, wire, deliver, counters } = setUp();
    session.open();
    deliver("x".repeat(1_100));
    deliver("record 5", "a 5", "a", 5n);
    deliver("record 1", "b 1", "b", 1n);
    deliver("record 6", "a 6", "a", 6n);
    deliver("record 5, which is sent again", "a 5", "a", 5n);
    assert.equal(wire.written.length, 2);
    wire.allSent();
    assert.deepEqual(wire.written.slice(2), ["a 6", "b 1"]);
    assert.equal(counters.hinted, 2);
    deliver("record 7", "a 7", "a", 7n);
    wire.allSent();
    assert.deepEqual(wire.written.slice(4), ["record 7"]);
  });

  it("closes when it is owed hints of too many keys", () => {
    const { session, wire, deliver } = setUp();
    session.open();
    deliver("x".repeat(1_100));
    for (let i = 0; i < 1_024; i++) deliver("record", "hint", `g_${i}`);
    deliver("record", "hint", "g_0");
    assert.equal(wire.closedWith(), undefined);
    deliver("record", "hint", "g_1024");
    assert.equal(wire.closedWith(), 1013);
  });

  it("writes no hint to somebody who was closed meanwhile", () => {
    const { session, wire, deliver } = setUp();
    session.open();
    deliver("x".repeat(1_100));
    deliver("record", "hint", "a");
    session.close({ code: 4401, reason: "" });
    wire.allSent();
    assert.equal(wire.written.length, 2);
  });

  it("answers pings under the limits that hold for everything", () => {
    const { session, wire, clock } = setUp({ packetsBurst: 3 });
    session.ping(Buffer.from("early"));
    session.open();
    session.ping(Buffer.from("?"));
    assert.equal(wire.written.length, 2);
    session.ping(Buffer.from("?"));
    session.ping(Buffer.from("too many"));
    assert.equal(wire.written.length, 3);
    assert.equal(wire.paused, true);
    clock.nowMs = 1_000;
    wire.unsentBytes = 3_000;
    session.gone(1006);
    const unread = setUp();
    unread.session.open();
    unread.wire.unsentBytes = 2_999;
    unread.session.ping(Buffer.from("?"));
    assert.equal(unread.wire.closedWith(), 1013);
  });

  it("is too slow also when only its own answers pile up", () => {
    const { session, wire, clock } = setUp();
    session.open();
    wire.unsentBytes = 1_000;
    session.ping(Buffer.from("?"));
    clock.nowMs = 100;
    session.checkLag();
    assert.equal(wire.closedWith(), 1013);
  });

  it("goes on with hints until all is sent, not only less than the limit", () => {
    const { session, wire, deliver } = setUp();
    session.open();
    deliver("x".repeat(1_100));
    deliver("record", "hint");
    wire.unsentBytes = 10;
    deliver("record", "hint");
    assert.equal(wire.written.at(-1), "hint");
  });

  it("closes above the hard limit, without writing what is too much", () => {
    const { session, wire, deliver, ended } = setUp();
    session.open();
    deliver("x".repeat(900));
    deliver("y".repeat(2_900));
    assert.equal(wire.closedWith(), 1013);
    assert.deepEqual(ended, [1013]);
    assert.ok(wire.unsentBytes < 1_000);
  });

  it("counts answers to its own packets to the hard limit too", async () => {
    const { session, wire, uplinks, receive } = setUp();
    session.open();
    receive("a");
    await uplinks[0]?.answer("x".repeat(3_100));
    assert.equal(wire.closedWith(), 1013);
  });

  it("closes when it lags for too long", () => {
    const { session, wire, clock, deliver } = setUp();
    session.open();
    deliver("x".repeat(1_100));
    deliver("record", "hint");
    clock.nowMs = 99;
    assert.equal(session.checkLag(), true);
    assert.equal(wire.closedWith(), undefined);
    clock.nowMs = 100;
    assert.equal(session.checkLag(), false);
    assert.equal(wire.closedWith(), 1013);
  });

  it("closes after silence, not while bytes come, nor while it doesn't read itself", () => {
    const { session, wire, clock, receive } = setUp({ packetsInFlight: 1 });
    session.open();
    for (let i = 1; i <= 5; i++) {
      clock.nowMs += 900;
      wire.receivedBytes++;
      session.checkIdle();
    }
    receive("a");
    clock.nowMs += 5_000;
    session.checkIdle();
    assert.equal(wire.closedWith(), undefined);
  });

  it("closes after silence", () => {
    const { session, wire, clock } = setUp();
    session.open();
    wire.receivedBytes = 10;
    session.checkIdle();
    clock.nowMs = 999;
    session.checkIdle();
    assert.equal(wire.closedWith(), undefined);
    clock.nowMs = 1_000;
    session.checkIdle();
    assert.equal(wire.closedWith(), 1001);
  });

  it("says hello before the first delivery", () => {
    const { wire, deliver } = setUp();
    deliver("record");
    assert.deepEqual(wire.written, ["hello", "record"]);
  });
});
