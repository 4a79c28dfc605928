/** One request that a push provider received, with what it answered. Refused requests are recorded too. */
export interface RecordedPush {
  readonly provider: "apns" | "fcm";
  /** The device token it was addressed to, "" if the request did not get that far. */
  readonly token: string;
  readonly receivedMs: number;
  readonly headers: Readonly<Record<string, string>>;
  /** The JSON payload (APNs) or the `message` (FCM); undefined if it was no JSON object. */
  readonly body: Readonly<Record<string, unknown>> | undefined;
  /** The status that was answered; 0 if the request was left hanging or its connection was cut. */
  readonly status: number;
  /** The provider's word for the refusal, undefined when it was accepted. */
  readonly reason: string | undefined;
}

/** What a request is awaited by. */
export type PushPredicate = (push: RecordedPush) => boolean;

interface Waiter {
  readonly predicate: PushPredicate;
  readonly resolve: (push: RecordedPush) => void;
  readonly reject: (error: Error) => void;
}

/** The newest requests of one provider, and those who wait for one. */
export class PushLog {
  readonly requests: RecordedPush[] = [];
  readonly #waiters = new Set<Waiter>();
  readonly #keep: number;

  /** @param keep how many requests are kept; the oldest go first. */
  constructor(keep = 10_000) {
    this.#keep = keep;
  }

  add(push: RecordedPush): void {
    this.requests.push(push);
    if (this.requests.length > this.#keep) this.requests.shift();
    for (const waiter of this.#waiters) if (waiter.predicate(push)) waiter.resolve(push);
  }

  /** The first request that fits, already here or still to come; rejects after `timeoutMs`. */
  until(predicate: PushPredicate, timeoutMs = 20_000): Promise<RecordedPush> {
    const known = this.requests.find(predicate);
    if (known !== undefined) return Promise.resolve(known);
    const { promise, resolve, reject } = Promise.withResolvers<RecordedPush>();
    const waiter: Waiter = { predicate, resolve, reject };
    this.#waiters.add(waiter);
    const timer = setTimeout(() => {
      reject(new Error(`no such push request within ${timeoutMs} ms (${this.requests.length} others)`));
    }, timeoutMs);
    return promise.finally(() => {
      clearTimeout(timer);
      this.#waiters.delete(waiter);
    });
  }

  /** Lets go of everyone who still waits. */
  close(): void {
    for (const waiter of this.#waiters) waiter.reject(new Error("the push provider was closed"));
  }
}
