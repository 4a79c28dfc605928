import { Codec } from "@oceanchat/gen/oceanchat/records/v1/codec_pb";
import type { Closing } from "../../src/core/closing.ts";
import { Counters } from "../../src/core/counters.ts";
import { Outgoing } from "../../src/core/frames.ts";
import { type NewcomerRules, Newcomers } from "../../src/core/newcomers.ts";
import type { SessionLimits } from "../../src/core/session-limits.ts";
import type { Wire } from "../../src/ports.ts";
import { Session } from "../../src/session.ts";

/** A wire that keeps what is written. */
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

/** Nobody else connects. */
const CALM: NewcomerRules = { atOnce: 64, maxWaitMs: 8_000, isBusy: () => false, now: () => 0, after: () => undefined };

/** A session, and what stands around it. */
export function setUp(changed: Partial<SessionLimits> = {}, newcomers = new Newcomers(CALM)) {
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
      newcomers,
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
