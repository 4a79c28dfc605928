import type { Logger } from "pino";
import { closings } from "./core/closing.ts";
import type { Gateway } from "./gateway.ts";
import type { AuthPort } from "./ports.ts";

/** As many as auth takes at once. */
const AT_ONCE = 1_000;
/** From one question to the next, in milliseconds: a question costs some twenty times what each session in it does. */
const APART_MS = 100;

/** Ends the connections of sessions that have ended: those that auth, who has them closed at once, may have missed. */
export async function checkSessions(gateway: Gateway, auth: AuthPort, log: Logger): Promise<void> {
  const all = gateway.sessions.sessionIds();
  for (let at = 0; at < all.length; at += AT_ONCE) {
    const asked = all.slice(at, at + AT_ONCE);
    const live = await auth.liveSessions(asked);
    const closed = gateway.close(
      [],
      asked.filter((id) => !live.has(id)),
      closings.sessionOver,
    );
    if (closed > 0) log.info({ connections: closed }, "closed connections of sessions that have ended");
  }
}

/** Asks auth about the sessions of new connections: a token stays good for minutes after its session has ended. */
export class Admission {
  readonly #auth: AuthPort;
  readonly #log: Logger;
  readonly #pause: (ms: number) => Promise<unknown>;
  #failing = false;
  /** Sessions that wait for the question after the one that is under way. */
  readonly #waiting = new Set<string>();
  #next: Promise<ReadonlySet<string>> | undefined;
  #last: Promise<unknown> = Promise.resolve();

  constructor(auth: AuthPort, log: Logger, pause: (ms: number) => Promise<unknown>) {
    this.#auth = auth;
    this.#log = log;
    this.#pause = pause;
  }

  /**
   * Whether a session lives; when auth doesn't say, it does until the check that comes round. Only the first who find auth
   * silent wait for it. Never rejects.
   */
  async lives(sessionId: string): Promise<boolean> {
    this.#waiting.add(sessionId);
    if (this.#next === undefined) {
      const last = this.#last;
      this.#next = last.then(() => this.#ask());
      this.#last = Promise.all([this.#next, last.then(() => this.#pause(APART_MS))]);
    }
    return this.#failing || (await this.#next).has(sessionId);
  }

  /** One question after the other, and not too soon: many who connect at once make it longer, not more. */
  async #ask(): Promise<ReadonlySet<string>> {
    const asked = [...this.#waiting];
    this.#waiting.clear();
    this.#next = undefined;
    const live = new Set<string>();
    for (let at = 0; at < asked.length; at += AT_ONCE) {
      for (const id of await this.#liveOf(asked.slice(at, at + AT_ONCE))) live.add(id);
    }
    return live;
  }

  async #liveOf(asked: readonly string[]): Promise<Iterable<string>> {
    try {
      const live = await this.#auth.liveSessions(asked);
      if (this.#failing) this.#log.info("auth says again which sessions live");
      this.#failing = false;
      return live;
    } catch (cause) {
      if (!this.#failing)
        this.#log.warn({ err: cause }, "connections are taken without asking whether their sessions live");
      this.#failing = true;
      return asked;
    }
  }
}
