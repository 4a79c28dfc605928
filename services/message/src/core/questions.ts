import { shared } from "@oceanchat/runtime/fail";
import { RecentMap } from "@oceanchat/runtime/recent-map";
import type { Clock } from "../ports.ts";

/** Limits of what is asked and remembered. */
export interface QuestionLimits {
  /** How long a remembered answer counts, in milliseconds from the moment of asking. */
  readonly allowMs: number;
  /** How many answers are remembered. */
  readonly remembered: number;
  /** How many questions may be open. */
  readonly asking: number;
}

/** An answer that allows. */
interface Remembered<A> {
  readonly until: number;
  readonly answer: A;
  readonly question: Question<A>;
}

/** Asks the owner of the rule, as part of a trace. */
type Question<A> = (traceparent: string) => Promise<A>;

/**
 * Questions to the owner of a rule: the same one is asked once however many wait for its answer, and an answer that allows counts for
 * a moment. Others are never remembered, so that who is let in is let in at once.
 */
export class Questions<A> {
  readonly #clock: Clock;
  readonly #limits: QuestionLimits;
  readonly #allows: (answer: A) => boolean;
  readonly #answers: RecentMap<Remembered<A>>;
  readonly #open = new Map<string, Promise<A>>();
  /** Those that were used after they had been asked: whoever used them is likely to need them again. */
  readonly #used = new Map<string, Remembered<A>>();

  constructor(clock: Clock, limits: QuestionLimits, allows: (answer: A) => boolean) {
    this.#clock = clock;
    this.#limits = limits;
    this.#allows = allows;
    this.#answers = new RecentMap(limits.remembered);
  }

  /** The remembered answer. */
  known(key: string): A | undefined {
    const found = this.#answers.get(key);
    if (found === undefined) return undefined;
    if (this.#clock.steady() >= found.until) {
      this.#answers.delete(key);
      return undefined;
    }
    if (this.#used.size < this.#limits.remembered) this.#used.set(key, found);
    return found.answer;
  }

  /** Asks; throws OVERLOADED at once when too much is being asked. */
  ask(key: string, traceparent: string, question: Question<A>): Promise<A> {
    const open = this.#open.get(key);
    if (open !== undefined) return open;
    if (this.#open.size >= this.#limits.asking) throw shared.overloaded("too many permission checks are open");
    const until = this.#clock.steady() + this.#limits.allowMs;
    const asked = question(traceparent)
      .then((answer) => {
        if (this.#allows(answer)) this.#answers.set(key, { until, answer, question });
        else this.#answers.delete(key);
        return answer;
      })
      .finally(() => this.#open.delete(key));
    this.#open.set(key, asked);
    return asked;
  }

  /**
   * Asks again what is in use and will not count much longer, all at the same time: so those who say much hardly ever wait for an answer,
   * and the questions travel together. An answer that stays out shows when it is needed: then it is asked for.
   */
  renew(withinMs: number): void {
    const now = this.#clock.steady();
    for (const [key, remembered] of this.#used) {
      if (remembered.until - now > withinMs) continue;
      this.#used.delete(key);
      if (remembered.until <= now || this.#open.size >= this.#limits.asking / 2) continue;
      this.ask(key, "", remembered.question).catch(() => undefined); // whoever needs the answer asks himself, and is told
    }
  }
}
