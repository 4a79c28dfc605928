import type { Load } from "./scenario.ts";
import { Schedule } from "./schedule.ts";

/** What a load is made with. */
export interface Road {
  readonly conversations: readonly number[];
  /** The clock that times are of, in milliseconds. */
  now(): number;
  /** Sends the next message of a conversation; false when no more can be. */
  send(conversation: number, intended: number): boolean;
  /** Messages without an answer so far. */
  unanswered(): number;
}

/** A load that runs. */
export interface RunningLoad {
  /** A message of this conversation was answered; the next may go after the pause. */
  answered(conversation: number, pauseMs: number): void;
  /** Resolves when the last message has been sent; `end` is when that is wanted. */
  readonly ended: Promise<void>;
}

/** Unanswered messages beyond which an open loop holds the next ones back; they are timed as if they had left. */
const MAX_UNANSWERED = 20_000;

/** Sends from `start` to `end`. */
export function startLoad(load: Load, road: Road, start: number, end: number): RunningLoad {
  return load.kind === "open"
    ? openLoop(new Schedule(start, load.perSecond, (end - start) / 1000), road)
    : closedLoop(load.inFlight, road, end);
}

/** A constant rate, one conversation after the other, whatever comes back. */
function openLoop(schedule: Schedule, road: Road): RunningLoad {
  const { promise, resolve } = Promise.withResolvers<void>();
  let next = 0;
  let full = false;
  const turn = (): void => {
    const now = road.now();
    while (road.unanswered() < MAX_UNANSWERED) {
      const intended = schedule.take(now);
      if (intended === undefined) break;
      full = !road.send(road.conversations[next] ?? 0, intended);
      if (full) break;
      next = (next + 1) % road.conversations.length;
    }
    const wait = schedule.wait(road.now());
    if (full || wait === undefined) resolve();
    else setTimeout(turn, Math.max(1, wait));
  };
  turn();
  return { answered: () => undefined, ended: promise };
}

/** Each conversation sends its next message when one of its messages has been answered. */
function closedLoop(inFlight: number, road: Road, end: number): RunningLoad {
  const { promise, resolve } = Promise.withResolvers<void>();
  let over = false;
  const finish = (): void => {
    over = true;
    resolve();
  };
  const next = (conversation: number): void => {
    const now = road.now();
    if (over || now >= end) return;
    if (!road.send(conversation, now)) finish();
  };
  for (let slot = 0; slot < inFlight; slot++) {
    for (const conversation of road.conversations) next(conversation);
  }
  setTimeout(finish, Math.max(0, end - road.now()));
  return {
    answered: (conversation, pauseMs) => {
      if (pauseMs > 0) setTimeout(next, pauseMs, conversation);
      else next(conversation);
    },
    ended: promise,
  };
}
