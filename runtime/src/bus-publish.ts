import { createInbox, type Msg, type MsgHdrs } from "@nats-io/transport-node";
import type { Link } from "./bus-link.ts";
import { PublishError, type Published, type PublishFailure, type PublishOptions } from "./bus-types.ts";
import { InFlight } from "./in-flight.ts";
import { publishHeaders } from "./publish-headers.ts";

/** How many publishes are under way. */
export interface WindowLimits {
  /** How many may wait for the server's answer. */
  readonly inFlight: number;
  /** How many more may wait for room. */
  readonly waiting: number;
}

/** A message on its way to the server. */
export interface Outgoing {
  readonly subject: string;
  readonly data: Uint8Array;
  readonly headers: MsgHdrs;
}

/** A message that is answered. */
export interface Publish extends Outgoing {
  /** How long to wait for room and then again for the answer, in milliseconds. */
  readonly timeoutMs: number;
  /** What is written right before it and gets no answer of its own: the rest of its batch. */
  readonly ahead: readonly Outgoing[];
}

interface Entry extends Publish {
  deadline: number;
  resolve(published: Published): void;
  reject(error: PublishError): void;
}

const DEFAULT_TIMEOUT_MS = 2000;
const SWEEP_MS = 25;
const MAX_WAITING_BYTES = 64 * 1024 * 1024;
const NOTHING: readonly Outgoing[] = [];

/**
 * Publishes with a bounded number under way. It keeps its own inbox instead of the driver's `publish`: one timer for
 * all deadlines, a lost connection is known at once, and nothing is sent while there is none.
 */
export class PublishWindow {
  readonly #link: Link;
  readonly #limits: WindowLimits;
  readonly #inbox = createInbox();
  /** By number, which in base 36 is the last token of the subject that is answered to. */
  readonly #sent = new InFlight<Entry>();
  readonly #waiting = new Set<Entry>();
  #waitingBytes = 0;
  #sweeper: NodeJS.Timeout | undefined;
  /** When deadlines were looked at last. */
  #sweptAt = 0;
  #closed = false;
  #whenIdle: (() => void) | undefined;

  constructor(link: Link, limits: WindowLimits) {
    this.#link = link;
    this.#limits = limits;
    link.nc.subscribe(`${this.#inbox}.*`, { callback: (error, message) => this.#answered(error, message) });
    link.onChange((connected) => (connected ? this.#pump() : this.#lost()));
  }

  async publish(subject: string, data: Uint8Array, options: PublishOptions): Promise<Published> {
    const { timeoutMs = DEFAULT_TIMEOUT_MS } = options;
    return this.send({ subject, data, headers: publishHeaders(options), timeoutMs, ahead: NOTHING });
  }

  send(publish: Publish): Promise<Published> {
    return new Promise((resolve, reject) => {
      if (this.#closed) throw new PublishError("unavailable", "the bus is closed");
      const entry: Entry = { ...publish, deadline: performance.now() + publish.timeoutMs, resolve, reject };
      if (this.#waiting.size === 0 && this.#hasRoom()) this.#send(entry);
      else this.#enqueue(entry);
      if (this.#sweeper !== undefined) return;
      this.#sweptAt = performance.now();
      this.#sweeper = setInterval(() => this.#sweep(), SWEEP_MS);
    });
  }

  /** Takes nothing new and waits for what is under way, at most `timeoutMs`. */
  async close(timeoutMs: number): Promise<void> {
    this.#closed = true;
    if (this.#sent.size + this.#waiting.size > 0) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, timeoutMs);
        this.#whenIdle = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    this.#lost();
    for (const entry of this.#waiting) {
      this.#dequeue(entry);
      entry.reject(new PublishError("unavailable", "the bus is closed"));
    }
    this.#rest();
  }

  #enqueue(entry: Entry): void {
    if (this.#waiting.size >= this.#limits.waiting || this.#waitingBytes + entry.data.length > MAX_WAITING_BYTES) {
      throw new PublishError("overloaded", `${this.#waiting.size} publishes wait already`);
    }
    this.#waiting.add(entry);
    this.#waitingBytes += entry.data.length;
  }

  #dequeue(entry: Entry): void {
    this.#waiting.delete(entry);
    this.#waitingBytes -= entry.data.length;
  }

  #hasRoom(): boolean {
    return this.#sent.size < this.#limits.inFlight && this.#link.connected();
  }

  #pump(): void {
    for (const entry of this.#waiting) {
      if (!this.#hasRoom()) return;
      this.#dequeue(entry);
      this.#send(entry);
    }
  }

  #send(entry: Entry): void {
    entry.deadline = performance.now() + entry.timeoutMs;
    const number = this.#sent.add(entry);
    const reply = `${this.#inbox}.${number.toString(36)}`;
    try {
      for (const { subject, data, headers } of entry.ahead) this.#link.nc.publish(subject, data, { headers });
      this.#link.nc.publish(entry.subject, entry.data, { reply, headers: entry.headers });
    } catch (error) {
      this.#sent.take(number);
      const kind = this.#link.nc.isClosed() || this.#link.nc.isDraining() ? "unavailable" : "refused";
      entry.reject(new PublishError(kind, `publish to ${entry.subject} was not sent`, { cause: error }));
    }
  }

  #answered(error: Error | null, message: Msg): void {
    if (error !== null) {
      this.#link.log.error({ err: error }, "nats: no more answers to publishes");
      return;
    }
    const entry = this.#sent.take(Number.parseInt(message.subject.slice(this.#inbox.length + 1), 36));
    if (entry === undefined) return;
    settle(entry, message);
    this.#pump();
    this.#rest();
  }

  /** What was sent may be stored or not; what waits was never sent and may still be. */
  #lost(): void {
    for (const entry of this.#sent.takeIf(() => true)) {
      entry.reject(new PublishError("unknown", `connection lost before the answer to ${entry.subject}`));
    }
    this.#rest();
  }

  /** Late is only what was so the time before: while the process was held up itself, answers came that it has yet to read. */
  #sweep(): void {
    const now = this.#sweptAt;
    this.#sweptAt = performance.now();
    for (const entry of this.#sent.takeIf(({ deadline }) => deadline <= now)) {
      entry.reject(new PublishError("unknown", `no answer to ${entry.subject} in ${entry.timeoutMs} ms`));
    }
    for (const entry of this.#waiting) {
      if (entry.deadline > now) continue;
      this.#dequeue(entry);
      const kind = this.#link.connected() ? "overloaded" : "unavailable";
      entry.reject(new PublishError(kind, `${entry.subject} was not sent within ${entry.timeoutMs} ms`));
    }
    this.#pump();
    this.#rest();
  }

  #rest(): void {
    if (this.#sent.size + this.#waiting.size > 0) return;
    clearInterval(this.#sweeper);
    this.#sweeper = undefined;
    this.#whenIdle?.();
  }
}

interface Answer {
  readonly seq?: number;
  readonly duplicate?: boolean;
  readonly error?: { readonly code?: number; readonly err_code?: number; readonly description?: string };
}

function settle(entry: Entry, message: Msg): void {
  if (message.headers?.code === 503) {
    entry.reject(new PublishError("unavailable", `no stream answers for ${entry.subject}`));
    return;
  }
  let answer: Answer;
  try {
    answer = message.json<Answer>();
  } catch (error) {
    entry.reject(new PublishError("unknown", `unreadable answer to ${entry.subject}`, { cause: error }));
    return;
  }
  if (answer.error !== undefined) {
    const { code = 0, err_code = 0, description = "unknown error" } = answer.error;
    entry.reject(new PublishError(failureOf(code, err_code), `${entry.subject}: ${description}`, { code: err_code }));
  } else if (answer.seq === undefined) {
    entry.reject(new PublishError("unknown", `unreadable answer to ${entry.subject}`));
  } else {
    entry.resolve({ sequence: answer.seq, duplicate: answer.duplicate === true });
  }
}

/** Codes of nats-server's errors.json. */
function failureOf(status: number, code: number): PublishFailure {
  switch (code) {
    case 10071: // wrong last sequence
    case 10164: // wrong last sequence, while another publish to the subject is being replicated
    case 10158: // the same message id is being replicated
      return "conflict";
    case 10077: // the store refused: maximum messages or bytes, or a failed write
    case 10047: // insufficient storage
    case 10028: // insufficient memory
    case 10023: // insufficient resources
    case 10002: // the account's limits
      return "full";
    default:
      if (status === 429) return "full"; // too many publishes at once
      return status === 503 ? "unavailable" : "refused";
  }
}
