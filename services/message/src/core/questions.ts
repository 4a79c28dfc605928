import { shared } from "@oceanchat/runtime/fail";
import type { Clock } from "../ports.ts";
import { RecentMap } from "./recent-map.ts";

/** Limits of what is asked and remembered. */
export interface QuestionLimits {
  /** How long a remembered answer counts, in milliseconds from the moment of asking. */
  readonly allowMs: number;
  /** How many answers are remembered. */
  readonly remembered: number;
  /** How many questions may be open. */
  readonly asking: number;
}

/**
 * Questions to the owner of a rule: the same one is asked once however many wait for its answer, and an answer that allows counts for
 * a moment. Others are never remembered, so that who is let in is let in at once.
 */
export class Questions<A> {
  readonly #clock: Clock;
  readonly #limits: QuestionLimits;
  readonly #allows: (answer: A) => boolean;
  readonly #answers: RecentMap<{ readonly until: number; readonly answer: A }>;
  readonly #open = new Map<string, Promise<A>>();

  constructor(clock: Clock, limits: QuestionLimits, allows: (answer: A) => boolean) {
    this.#clock = clock;
    this.#limits = limits;
    this.#allows = allows;
    this.#answers = new RecentMap(limits.remembered);
  }

  /** The remembered answer. */
  known(key: string): A | undefined {
    const found = this.#answers.get(key);
    if (found === undefined || this.#clock.steady() < found.until) return found?.answer;
    this.#answers.delete(key);
    return undefined;
  }

  /** Asks; throws OVERLOADED at once when too much is being asked. */
  ask(key: string, question: () => Promise<A>): Promise<A> {
    const open = this.#open.get(key);
    if (open !== undefined) return open;
    if (this.#open.size >= this.#limits.asking) throw shared.overloaded("too many permission checks are open");
    const until = this.#clock.steady() + this.#limits.allowMs;
    const asked = question()
      .then((answer) => {
        if (this.#allows(answer)) this.#answers.set(key, { until, answer });
        return answer;
      })
      .finally(() => this.#open.delete(key));
    this.#open.set(key, asked);
    return asked;
  }
}
