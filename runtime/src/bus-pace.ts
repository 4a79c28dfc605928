/** What pacing takes. */
export interface PaceOptions {
  /** How long messages wait in the server for others now, in milliseconds. */
  gatherMs(): number;
  /** With room for so many, what is known to be there is asked for at once. */
  readonly threshold: number;
  /** Called when there may be something to ask for. */
  ask(): void;
}

/**
 * Says when to ask a consumer for messages that may wait for one another. To a request with `no_wait` and `expires` the server gives what
 * there is, or else the first that comes, and ends it: whoever asks again only after a while is woken once for all that came
 * meanwhile, and the server writes to it once.
 */
export class Pace {
  readonly #options: PaceOptions;
  #isDue = true;
  #isBehind = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: PaceOptions) {
    this.#options = options;
  }

  /** Whether to ask now, for so many; when not, `ask` is called later. */
  allows(room: number): boolean {
    const gatherMs = this.#options.gatherMs();
    if (gatherMs === 0 || this.#isDue || (this.#isBehind && room >= this.#options.threshold)) {
      this.stop();
      this.#isDue = false;
      return true;
    }
    this.#timer ??= setTimeout(() => this.hurry(), gatherMs);
    return false;
  }

  /** A request was answered; in full: then there may be more. */
  answered(inFull: boolean): void {
    this.#isBehind = inFull;
  }

  /** Somebody waits for what there is. */
  hurry(): void {
    this.stop();
    this.#isDue = true;
    this.#options.ask();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
