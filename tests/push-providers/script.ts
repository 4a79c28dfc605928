/** Leave the request without an answer, or cut its connection: what a network does. */
export type NetworkFault = "hang" | "reset";

interface Rule<A> {
  readonly token: string | undefined;
  readonly answer: A;
  left: number;
}

/** What a provider answers instead of accepting: rules for one device token or for every request, each for a number of times. */
export class Script<A> {
  #rules: Rule<A>[] = [];

  /** Answers the next `times` requests to this device token (to any token if undefined) with `answer`. */
  add(token: string | undefined, answer: A, times: number): void {
    this.#rules.push({ token, answer, left: times });
  }

  /** Forgets every rule. */
  clear(): void {
    this.#rules = [];
  }

  /** What this request is to be answered with, undefined if it is accepted. */
  next(token: string): A | undefined {
    const rule = this.#rules.find((candidate) => candidate.token === undefined || candidate.token === token);
    if (rule === undefined) return undefined;
    rule.left -= 1;
    if (rule.left <= 0) this.#rules.splice(this.#rules.indexOf(rule), 1);
    return rule.answer;
  }
}
