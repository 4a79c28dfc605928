import type { Logger } from "pino";
import type { Notices } from "./ports.ts";

/** Notices that are appended beside each other. */
const AT_ONCE = 16;
/** Notices that wait, for their turn or for another try. */
const MAX_WAITING = 20_000;
const MAX_TRIES = 8;
const MAX_PAUSE_MS = 30_000;

/** One session that ended. */
interface Notice {
  readonly userId: string;
  readonly sessionId: string;
  tries: number;
}

/**
 * Tells users' own logs of sessions that have ended, beside the calls that end them: nobody waits for it. It is tried eight times
 * within about a minute; what can't be told by then, or waits in a process that ends, is lost. Sockets are closed all the same.
 */
export class RevocationNotices implements Notices {
  readonly #append: (userId: string, sessionId: string, attempt: number) => Promise<void>;
  readonly #log: Logger;
  readonly #pauseMs: number;
  readonly #ready: Notice[] = [];
  readonly #pausing = new Set<NodeJS.Timeout>();
  readonly #running = new Set<Promise<void>>();
  #stopping = false;

  /** `append` puts one notice into a log, once however often it is called. `pauseMs`: before the second try. */
  constructor(
    append: (userId: string, sessionId: string, attempt: number) => Promise<void>,
    log: Logger,
    pauseMs = 500,
  ) {
    this.#append = append;
    this.#log = log;
    this.#pauseMs = pauseMs;
  }

  revoked(userId: string, sessionIds: readonly string[]): void {
    for (const sessionId of sessionIds) {
      if (this.#stopping) return;
      if (this.#ready.length + this.#pausing.size >= MAX_WAITING) {
        this.#log.warn({ userId }, "too many sessions end at once: their users' logs don't hear of it");
        break;
      }
      this.#ready.push({ userId, sessionId, tries: 0 });
    }
    this.#run();
  }

  /** Resolves when what was begun is done; what waits is left out. */
  async stop(): Promise<void> {
    this.#stopping = true;
    const lost = this.#ready.length + this.#pausing.size;
    if (lost > 0) this.#log.warn({ lost }, "users' logs don't hear of sessions that have ended");
    for (const timer of this.#pausing) clearTimeout(timer);
    this.#pausing.clear();
    this.#ready.length = 0;
    await Promise.all(this.#running);
  }

  #run(): void {
    while (this.#running.size < AT_ONCE) {
      const notice = this.#ready.shift();
      if (notice === undefined) return;
      const running: Promise<void> = this.#tell(notice).then(() => {
        this.#running.delete(running);
        this.#run();
      });
      this.#running.add(running);
    }
  }

  /** Never rejects. */
  async #tell(notice: Notice): Promise<void> {
    const { userId, sessionId } = notice;
    try {
      await this.#append(userId, sessionId, ++notice.tries);
    } catch (cause) {
      const last = notice.tries >= MAX_TRIES;
      const what = last ? "a user's log doesn't hear of a session that has ended" : "a session's end is told again";
      this.#log.warn({ err: cause, userId, tries: notice.tries }, what);
      if (!last && !this.#stopping) this.#later(notice);
    }
  }

  #later(notice: Notice): void {
    const base = Math.min(this.#pauseMs * 2 ** (notice.tries - 1), MAX_PAUSE_MS);
    const timer = setTimeout(
      () => {
        this.#pausing.delete(timer);
        this.#ready.push(notice);
        this.#run();
      },
      base / 2 + (Math.random() * base) / 2,
    );
    this.#pausing.add(timer);
  }
}
