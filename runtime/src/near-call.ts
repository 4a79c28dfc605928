import { randomUUID } from "node:crypto";
import { shared } from "./fail.ts";
import type { CallContext } from "./handlers.ts";

/** How a door of the same process is called. */
export interface NearCallOptions {
  /** In milliseconds since the epoch. */
  readonly deadline: number;
  readonly traceparent?: string;
  readonly requestId?: string;
  readonly signal?: AbortSignal;
}

/** A call was given up after it had begun: by its caller, or by the door that closed. */
export class GivenUp extends Error {
  override readonly name = "GivenUp";
}

/** What a handler knows of a call that comes from its own process. */
export const nearContext = (signal: AbortSignal, traceparent = "", requestId: string = randomUUID()): CallContext => ({
  requestId,
  caller: undefined,
  signal,
  traceparent,
  remoteAddress: "",
});

/** A call that runs, until it is answered or given up: at its deadline, by its caller, by the door. */
export class NearCall {
  readonly context: CallContext;
  readonly #path: string;
  readonly #options: NearCallOptions;
  readonly #ended = new AbortController();
  readonly #onLost: (error: Error) => void;
  readonly #onEnd: () => void;
  #timer: NodeJS.Timeout | undefined;
  #over = false;

  constructor(path: string, options: NearCallOptions, onLost: (error: Error) => void, onEnd: () => void) {
    this.context = nearContext(this.#ended.signal, options.traceparent, options.requestId);
    this.#path = path;
    this.#options = options;
    this.#onLost = onLost;
    this.#onEnd = onEnd;
  }

  /** Whether it has been given up. */
  get isOver(): boolean {
    return this.#over;
  }

  /** Looks at its deadline and its caller's signal. */
  watch(): void {
    const { deadline, signal } = this.#options;
    this.#timer = setTimeout(this.#late, deadline - Date.now());
    if (signal?.aborted) this.#stop();
    else signal?.addEventListener("abort", this.#stop, { once: true });
  }

  giveUp(error: Error): void {
    if (this.#over) return;
    this.#over = true;
    this.#onLost(error);
    this.abort();
    this.end();
  }

  /** Tells the handler that nobody listens any more. */
  abort(): void {
    this.#ended.abort();
  }

  /** Nobody waits any more. */
  end(): void {
    clearTimeout(this.#timer);
    this.#options.signal?.removeEventListener("abort", this.#stop);
    this.#onEnd();
  }

  readonly #late = (): void => this.giveUp(shared.outcomeUnknown(`${this.#path} did not answer`));

  readonly #stop = (): void => this.giveUp(new GivenUp("the caller has given the call up"));
}
