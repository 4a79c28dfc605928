import type { Conversation } from "../ledger.ts";
import type { RowMemory } from "../rows.ts";
import type { Load } from "../scenario.ts";
import type { ViolationSummary } from "../violations.ts";

/** A conversation with its id. */
export interface NamedConversation extends Conversation {
  readonly id: string;
}

/** Somebody with a socket. */
export interface PlannedClient {
  /** The connection's number in this run. */
  readonly number: number;
  readonly userId: string;
  readonly token: string;
  /** Where to connect; the next ones when that fails. */
  readonly urls: readonly string[];
  readonly localAddress: string;
  /** Reads no more per second once it is told to. */
  readonly slowBytesPerSecond?: number;
}

/** What a thread of the generator does: clients of its own, and the traffic of some conversations. */
export interface ShardPlan {
  /** What the client message ids are made of. */
  readonly run: string;
  readonly rows: RowMemory;
  /** All of the run. */
  readonly conversations: readonly NamedConversation[];
  /** The load of each part: of an open loop this thread's share. */
  readonly parts: readonly {
    readonly load: Load;
    readonly textBytes: number;
    readonly conversations: readonly number[];
  }[];
  readonly clients: readonly PlannedClient[];
  /** Where REST calls go. */
  readonly edge: string;
  /** Clients whose connection ends come back and ask what they have missed. */
  readonly resumes: boolean;
  /** Over which time they spread their first try, in milliseconds. */
  readonly spreadMs: number;
  readonly heartbeatMs: number;
  /** Phases of the measured time that are timed apart. */
  readonly phases: number;
}

/** When what is done, in milliseconds of the generator's clock. */
export interface ShardTimes {
  readonly start: number;
  /** Deliveries of messages from here to `from` are timed apart. */
  readonly baseline: number;
  readonly from: number;
  readonly to: number;
}

/** Latencies that go between threads as texts. */
export interface EncodedLatencies {
  readonly parts: readonly { readonly ack: string; readonly delivery: string }[];
  /** Messages that were meant to leave in each phase. */
  readonly phases: readonly { readonly ack: string; readonly delivery: string }[];
  readonly lag: string;
  readonly baseline: string;
  /** From the first byte to `hello`. */
  readonly connect: string;
  /** From the end of a connection to the next one's `hello`. */
  readonly reconnect: string;
  /** Until everything that was missed is there. */
  readonly resume: string;
}

/** What a thread has seen. */
export interface ShardResult {
  readonly latencies: EncodedLatencies;
  readonly violations: ViolationSummary;
  /** Refusals by reason. */
  readonly errors: Readonly<Record<string, number>>;
  /** The same of `sync` and of pages of records, which are asked for again. */
  readonly syncErrors: Readonly<Record<string, number>>;
  /** Messages that were sent once more because nothing had answered them. */
  readonly repeats: number;
  readonly hints: number;
  /** Connections that ended by themselves, by why. */
  readonly closes: Readonly<Record<string, number>>;
  /** Sockets by gateway. */
  readonly gateways: Readonly<Record<string, number>>;
  /** By connection. */
  readonly gatewayOf: readonly (readonly [number, string])[];
}
