import { AsyncLocalStorage } from "node:async_hooks";
import type { ClientRequest } from "node:http";
import { Agent, type AgentOptions, type RequestOptions } from "node:https";
import { type Duplex, PassThrough } from "node:stream";

/** Why the library's own repeat of a request was not let through. */
export class RepeatRefused extends Error {
  override readonly name = "RepeatRefused";
}

interface Attempt {
  readonly signal: AbortSignal;
  made: boolean;
}

/**
 * Lets one request through for each send. firebase-admin repeats a request by itself up to four times after a 503 or a
 * cut connection, for minutes if the server asks for it: long after the send was reported as unknown and taken
 * up again by the queue, so that a device would be told twice. It has no option against that, but it takes an agent.
 *
 * Only works without a limit on sockets, as a request that waits for one is not seen here; limit the sends instead.
 */
export class OneAttemptAgent extends Agent {
  readonly #attempts = new AsyncLocalStorage<Attempt>();

  constructor(options: AgentOptions) {
    super({ ...options, maxSockets: Number.POSITIVE_INFINITY });
  }

  /** Runs a send: its first request passes if it comes before `signal` is aborted, all others fail. */
  run<T>(signal: AbortSignal, send: () => Promise<T>): Promise<T> {
    return this.#attempts.run({ signal, made: false }, send);
  }

  override createConnection(
    options: RequestOptions,
    callback?: (error: Error | null, stream: Duplex) => void,
  ): Duplex | null | undefined {
    const refusal = this.#claim();
    if (refusal === undefined) return super.createConnection(options, callback);
    callback?.(refusal, new PassThrough()); // the stream is not looked at when there is an error
    return undefined;
  }

  override reuseSocket(socket: Duplex, request: ClientRequest): void {
    super.reuseSocket(socket, request);
    const refusal = this.#claim();
    if (refusal !== undefined) request.destroy(refusal);
  }

  #claim(): RepeatRefused | undefined {
    const attempt = this.#attempts.getStore();
    if (attempt === undefined) return undefined;
    if (attempt.signal.aborted) return new RepeatRefused("its time was up");
    if (attempt.made) return new RepeatRefused("unavailable or cut off");
    attempt.made = true;
    return undefined;
  }
}
