import type { Codec } from "@oceanchat/gen/oceanchat/records/v1/codec_pb";
import type { Caller } from "@oceanchat/runtime/handlers";
import { Allowance } from "./core/allowance.ts";
import { type Closing, closings } from "./core/closing.ts";
import type { Counters } from "./core/counters.ts";
import { emptyFrame, frame, type Outgoing, pongFrame } from "./core/frames.ts";
import type { Newcomer, Newcomers } from "./core/newcomers.ts";
import { type Hint, OwedHints } from "./core/owed-hints.ts";
import type { Registered } from "./core/registry.ts";
import type { SessionLimits } from "./core/session-limits.ts";
import type { Wire } from "./ports.ts";

/** What all sessions of a gateway share. */
export interface SessionWorld {
  readonly limits: SessionLimits;
  readonly counters: Counters;
  readonly newcomers: Newcomers;
  /** Milliseconds; never goes back. */
  readonly now: () => number;
  /** Carries a packet to the router; gives the encoded answer, empty for none. Never rejects. */
  readonly uplink: (session: Session, payload: Uint8Array) => Promise<Uint8Array>;
  /** Told once when a session has begun to be too slow for records. */
  readonly onLag: (session: Session) => void;
  /** Told once when a session is over, by whomever. */
  readonly onEnd: (session: Session, code: number) => void;
}

/**
 * Packets that may wait here at most. They come from what was read in one go, before the pause took hold; only a flood of
 * tiny frames is more.
 */
const MAX_WAITING = 1024;
const NOTHING = new Uint8Array(0);

/** One connection of a device, whatever its transport: what comes goes to the router, what is delivered goes out. */
export class Session implements Registered {
  readonly id: string;
  readonly caller: Caller;
  readonly codec: Codec;
  /** Milliseconds since the epoch. */
  readonly connectedMs: number;
  readonly #wire: Wire;
  readonly #world: SessionWorld;
  readonly #allowance = new Allowance();
  /** Makes the first packet; undefined once it is sent. */
  #hello: (() => Uint8Array) | undefined;
  /** Undefined from the first answer on. */
  #newcomer: Newcomer | undefined;
  #kept: Uint8Array = NOTHING;
  #over = false;
  #inFlight = 0;
  #waiting: Uint8Array[] = [];
  #throttle: NodeJS.Timeout | undefined;
  #paused = false;
  /** What it is owed since it is too slow for records. */
  #lag: OwedHints | undefined;
  #receivedBytes = 0;
  #heardMs: number;

  constructor(
    world: SessionWorld,
    wire: Wire,
    who: Pick<Session, "id" | "caller" | "codec" | "connectedMs"> & { readonly hello: () => Uint8Array },
  ) {
    this.id = who.id;
    this.caller = who.caller;
    this.codec = who.codec;
    this.connectedMs = who.connectedMs;
    this.#hello = who.hello;
    this.#world = world;
    this.#wire = wire;
    this.#heardMs = world.now();
    this.#newcomer = world.newcomers.come(() => this.#forward());
  }

  get userId(): string {
    return this.caller.userId;
  }

  get sessionId(): string {
    return this.caller.sessionId;
  }

  get isOver(): boolean {
    return this.#over;
  }

  /** What a service has asked to be kept for this connection, for presence to hear. Not looked into. */
  get kept(): Uint8Array {
    return this.#kept;
  }

  /** Keeps this instead of what was kept before. */
  keep(bytes: Uint8Array): void {
    // A copy: what came lies in a buffer that it shares with other answers.
    this.#kept = bytes.length === 0 ? NOTHING : bytes.slice();
  }

  /** Says hello; only then do packets go to the router. */
  open(): void {
    const hello = this.#hello;
    if (hello === undefined || this.#over) return;
    this.#hello = undefined;
    this.#wire.write(frame(this.#wire.framing, hello()));
    this.#newcomer?.welcomed();
    this.#forward();
  }

  /** Takes a WebSocket's ping. */
  ping(data: Buffer): void {
    if (this.#over) return;
    this.#count(data.length);
    // As with heartbeats: no flood in return, and what nobody reads must not pile up beyond the limits.
    if (this.#mayForward()) this.#write(pongFrame(data));
  }

  /** Takes something that needs no answer. */
  pong(data: Buffer): void {
    if (!this.#over) this.#count(data.length);
  }

  /** Takes a packet from the wire; an empty one is a heartbeat. */
  receive(payload: Uint8Array): void {
    if (this.#over) return;
    const { counters } = this.#world;
    this.#count(payload.length);
    if (payload.length === 0) {
      counters.heartbeats++;
      // A flood of them gets no flood in return, and nothing comes before hello.
      if (this.#mayForward()) this.#write(emptyFrame[this.#wire.framing]);
      return;
    }
    this.#waiting.push(payload);
    if (this.#waiting.length > MAX_WAITING) this.close(closings.tooManyPackets);
    else this.#forward();
  }

  /** Writes a packet, or has the hint follow in its place when the other side doesn't keep up. */
  deliver(packet: Outgoing, hint: Hint | undefined): void {
    if (this.#over) return;
    // Presence knows the connection already, so its answer is on the way; but hello comes first.
    this.open();
    const { counters } = this.#world;
    if (this.#lag === undefined) {
      counters.delivered++;
      this.#write(packet.frame(this.#wire.framing));
    } else if (hint === undefined) {
      counters.dropped++;
    } else if (hint.key === "") {
      counters.hinted++;
      this.#write(hint.packet.frame(this.#wire.framing));
    } else if (!this.#lag.owe(hint)) {
      this.close(closings.slow);
    }
  }

  /** Writes a packet of the gateway's own. */
  tell(packet: Uint8Array): void {
    if (this.#over) return;
    this.open();
    this.#write(frame(this.#wire.framing, packet));
  }

  /** Looks whether the other side still lives; to be called now and then. */
  checkIdle(): void {
    const { limits, now } = this.#world;
    const nowMs = now();
    const { receivedBytes } = this.#wire;
    // While the session itself doesn't read, nothing can come.
    if (receivedBytes !== this.#receivedBytes || this.#paused) {
      this.#receivedBytes = receivedBytes;
      this.#heardMs = nowMs;
    } else if (nowMs - this.#heardMs >= limits.idleMs) {
      this.close(closings.idle);
    }
  }

  /** Whether it is still too slow; ends it when it has been for too long. */
  checkLag(): boolean {
    const { limits, now } = this.#world;
    if (this.#lag === undefined || this.#over) return false;
    if (now() - this.#lag.sinceMs < limits.stallMs) return true;
    this.close(closings.slow);
    return false;
  }

  close(closing: Closing): void {
    if (this.#over) return;
    this.#end(closing.code);
    this.#wire.close(closing);
  }

  /** Whether nothing can go out or come in any more. */
  get isCut(): boolean {
    return this.#wire.isCut;
  }

  /** Doesn't wait for the other side to answer that it is closed. */
  cut(): void {
    this.#wire.cut();
  }

  /** The wire is gone. */
  gone(code: number): void {
    if (!this.#over) this.#end(code);
  }

  #end(code: number): void {
    this.#over = true;
    this.#waiting = [];
    this.#lag = undefined;
    clearTimeout(this.#throttle);
    this.#newcomer?.leave();
    this.#world.onEnd(this, code);
  }

  #count(bytes: number): void {
    const { limits, now } = this.#world;
    this.#allowance.take(limits, bytes, now());
    this.#settle();
  }

  #write(bytes: Buffer): void {
    const { softBufferBytes, hardBufferBytes } = this.#world.limits;
    const unsent = this.#wire.unsentBytes + bytes.length;
    if (unsent > hardBufferBytes) {
      this.close(closings.slow);
      return;
    }
    this.#wire.write(bytes);
    if (unsent > softBufferBytes && this.#lag === undefined) this.#fallBehind();
  }

  #fallBehind(): void {
    this.#lag = new OwedHints(this.#world.now());
    this.#wire.onceSent(this.#caughtUp);
    this.#world.onLag(this);
  }

  /** Everything of then has left: records again, after one hint for each conversation that had some meanwhile. */
  readonly #caughtUp = (): void => {
    const lag = this.#lag;
    this.#lag = undefined;
    if (lag === undefined || this.#over) return;
    for (const { packet } of lag.all()) {
      this.#world.counters.hinted++;
      this.#write(packet.frame(this.#wire.framing));
    }
  };

  #forward(): void {
    const { limits, counters, uplink } = this.#world;
    while (this.#mayForward() && this.#inFlight < limits.packetsInFlight) {
      const [payload] = this.#waiting;
      if (payload === undefined || this.#newcomer?.mayPass() === false) break;
      this.#waiting.shift();
      this.#inFlight++;
      counters.uplinks++;
      void uplink(this, payload).then(this.#answered);
    }
    this.#settle();
  }

  #mayForward(): boolean {
    return this.#hello === undefined && this.#throttle === undefined && !this.#over;
  }

  readonly #answered = (answer: Uint8Array): void => {
    this.#inFlight--;
    if (this.#over) return;
    this.#newcomer?.leave();
    this.#newcomer = undefined;
    if (answer.length > 0) this.#write(frame(this.#wire.framing, answer));
    this.#forward();
  };

  /** Reads on or doesn't: not while packets wait, the router owes as many answers as it may, or the rate is exceeded. */
  #settle(): void {
    if (this.#over) return;
    const { limits, now } = this.#world;
    const nowMs = now();
    if (this.#allowance.isFlood(limits, nowMs)) {
      this.close(closings.tooManyPackets);
      return;
    }
    const waitMs = this.#throttle === undefined ? this.#allowance.waitMs(limits, nowMs) : 0;
    if (waitMs > 0) this.#throttle = setTimeout(this.#unthrottle, waitMs);
    const pause = this.#throttle !== undefined || this.#waiting.length > 0 || this.#inFlight >= limits.packetsInFlight;
    if (pause === this.#paused) return;
    this.#paused = pause;
    if (pause) this.#wire.pause();
    else this.#wire.resume();
  }

  readonly #unthrottle = (): void => {
    this.#throttle = undefined;
    this.#settle();
    this.#forward();
  };
}
