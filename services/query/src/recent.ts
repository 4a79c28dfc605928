import { setImmediate as turn } from "node:timers/promises";
import { LogEntrySchema } from "@oceanchat/gen/oceanchat/records/v1/log_pb";
import type { Bus, StreamPosition } from "@oceanchat/runtime/bus-types";
import { joinedCalls } from "@oceanchat/runtime/joined-calls";
import { streamOf } from "@oceanchat/runtime/streams";
import type { Logger } from "pino";
import { RecentMoves } from "./core/recent-moves.ts";
import { errors } from "./errors.ts";
import type { RecentLogs, RecentView } from "./ports/moves.ts";

const FORGOTTEN_AT_ONCE = 2000;
/** How long records wait for others, in milliseconds, while nobody asks what has moved. */
const GATHER_MS = 250;

/** Whose acknowledgements say what the store has. */
const WRITER = "persistence-writer";

/** How the log is followed. */
export interface RecentOptions {
  /** How many logs may be ahead of the store at the same time. */
  readonly maxLogs: number;
  /** How long a call waits until what it must know is known, in milliseconds. */
  readonly waitMs: number;
  /** How often the writer's progress is looked at, in milliseconds. Default 1,000. */
  readonly floorMs?: number;
  readonly log: Logger;
}

/** Follows the log from where the writer is, headers only. */
export function followLog(bus: Bus, options: RecentOptions): RecentLogs & { stop(): Promise<void> } {
  return new Recent(bus, options);
}

class Recent implements RecentLogs {
  readonly #bus: Bus;
  readonly #options: RecentOptions;
  readonly #stream = streamOf(LogEntrySchema);
  readonly #moves: RecentMoves;
  readonly #following;
  readonly #timer: NodeJS.Timeout;
  readonly position: () => Promise<StreamPosition>;
  #createdMs = 0;
  #floor = 0;

  constructor(bus: Bus, options: RecentOptions) {
    this.#bus = bus;
    this.#options = options;
    this.#moves = new RecentMoves(options.maxLogs);
    this.position = joinedCalls(() => bus.position(this.#stream.name));
    this.#following = bus.follow({
      stream: this.#stream.name,
      gatherMs: GATHER_MS,
      from: (position) => this.#begin(position),
      handle: ({ subject, sequence }) => this.#note(subject, sequence),
    });
    const look = joinedCalls(() => this.#look());
    this.#timer = setInterval(() => void look(), options.floorMs ?? 1000);
  }

  async caughtUp(): Promise<RecentView> {
    const end = await this.position();
    let { generation } = this.#moves;
    for (;;) {
      await this.#following.reached(end, this.#options.waitMs);
      if (generation === this.#moves.generation) break;
      generation = this.#moves.generation;
    }
    const same = () => {
      if (generation !== this.#moves.generation) throw errors.storeTooFarBehind();
      return this.#moves;
    };
    return {
      end,
      aheadOf: (logIds) => same().aheadOf(logIds),
      directOf: (userId) => same().directOf(userId),
      storedUpTo: () => this.#floor,
    };
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#following.stop();
  }

  /** Where to begin: after what the writer has acknowledged. */
  async #begin({ createdMs, lastSequence }: StreamPosition): Promise<number> {
    const floor = (await this.#bus.ackFloor(this.#stream.name, WRITER)) ?? 0;
    // What was known is of no use when the log is another, or has lost its end.
    const same = createdMs === this.#createdMs && this.#floor <= lastSequence;
    if (!same || this.#moves.overflowed) this.#moves.clear();
    this.#createdMs = createdMs;
    this.#floor = Math.min(lastSequence, same ? Math.max(this.#floor, floor) : floor);
    return this.#floor + 1;
  }

  #note(subject: string, sequence: number): void {
    if (sequence <= this.#floor) return;
    const { name, tokens } = this.#stream.parse(subject) ?? {};
    if (tokens?.id === undefined) return;
    const before = this.#moves.overflowed;
    this.#moves.note(name === "user" ? `u_${tokens.id}` : tokens.id, sequence);
    if (this.#moves.overflowed && !before)
      this.#options.log.error({ logs: this.#options.maxLogs }, "TOO MANY LOGS ARE AHEAD OF THE STORE to list them");
  }

  /** Forgets what the store has. Never rejects. */
  async #look(): Promise<void> {
    try {
      const { createdMs, lastSequence } = await this.position();
      const floor = (await this.#bus.ackFloor(this.#stream.name, WRITER)) ?? 0;
      if (createdMs !== this.#createdMs || floor > lastSequence) return;
      if (floor > this.#floor) this.#floor = floor;
      // In between others get their turn.
      while (this.#moves.forget(this.#floor, FORGOTTEN_AT_ONCE)) await turn();
      // As many records can't be of more logs.
      if (this.#moves.overflowed && lastSequence - this.#floor <= this.#options.maxLogs)
        this.#following.restart("the store has caught up");
    } catch (error) {
      this.#options.log.warn({ err: error }, "how far the store is isn't known");
    }
  }
}
