import { shared } from "@oceanchat/runtime/fail";
import { RecentMap } from "@oceanchat/runtime/recent-map";
import type { Clock } from "../ports.ts";

/** Limits of what is asked and remembered. */
export interface QuestionLimits {
  /** How long a remembered answer counts, in milliseconds from the moment of asking. */
  readonly allowMs: number;
  /** How long it counts at most while it is confirmed, in milliseconds from the moment of asking. */
  readonly confirmedMs: number;
  /** How many answers are remembered. */
  readonly remembered: number;
  /** How many questions may be open. */
  readonly asking: number;
}

/** An answer that allows. */
interface Remembered<A> {
  readonly until: number;
  /** Not even a confirmed answer counts longer. */
  readonly atMost: number;
  readonly answer: A;
  readonly question: Question<A>;
}

/** Asks the owner of the rule, as part of a trace. */
type Question<A> = (traceparent: string) => Promise<A>;

/** What may be done with an answer. */
export interface AnswerRules<A> {
  /** Whether it allows what was asked. */
  allows(answer: A): boolean;
  /** Until when it has been confirmed to hold, on the steady clock; 0 when it hasn't been. */
  confirmedUntil(answer: A): number;
}

/**
 * Questions to the owner of a rule: the same one is asked once however many wait for its answer, and an answer that allows counts for
 * a moment, and for as long as it is confirmed. Others are never remembered, so that who is let in is let in at once.
 */
export class Questions<A> {
  readonly #clock: Clock;
  readonly #limits: QuestionLimits;
  readonly #rules: AnswerRules<A>;
  readonly #answers: RecentMap<Remembered<A>>;
  readonly #open = new Map<string, Promise<A>>();
  /** Those that were used after they had been asked: whoever used them is likely to need them again. */
  readonly #used = new Map<string, Remembered<A>>();

  constructor(clock: Clock, limits: QuestionLimits, rules: AnswerRules<A>) {
    this.#clock = clock;
    this.#limits = limits;
    this.#rules = rules;
    this.#answers = new RecentMap(limits.remembered);
  }

  /** The remembered answer. */
  known(key: string): A | undefined {
    const found = this.#answers.get(key);
    if (found === undefined) return undefined;
    if (this.#clock.steady() >= this.#countsUntil(found)) return undefined; // it may be confirmed later
    if (this.#used.size < this.#limits.remembered) this.#used.set(key, found);
    return found.answer;
  }

  /** Asks; throws OVERLOADED at once when too much is being asked. */
  ask(key: string, traceparent: string, question: Question<A>): Promise<A> {
    const open = this.#open.get(key);
    if (open !== undefined) return open;
    if (this.#open.size >= this.#limits.asking) throw shared.overloaded("too many permission checks are open");
    const now = this.#clock.steady();
    const times = { until: now + this.#limits.allowMs, atMost: now + this.#limits.confirmedMs };
    const asked = question(traceparent)
      .then((answer) => {
        if (this.#rules.allows(answer)) this.#answers.set(key, { ...times, answer, question });
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
      const until = this.#countsUntil(remembered);
      if (until - now > withinMs || until <= now || this.#open.size >= this.#limits.asking / 2) continue;
      this.ask(key, "", remembered.question).catch(() => undefined); // whoever needs the answer asks himself, and is told
    }
  }

  #countsUntil({ until, atMost, answer }: Remembered<A>): number {
    return Math.max(until, Math.min(atMost, this.#rules.confirmedUntil(answer)));
  }
}
