import { createInbox, type Msg, type Subscription } from "@nats-io/transport-node";
import type { Link } from "./bus-link.ts";
import { Pace } from "./bus-pace.ts";

const EXPIRES_MS = 30_000;
const HEARTBEAT_MS = 5000;
/** Asked for at once. */
const BATCH = 2000;
const NANOS_PER_MS = 1_000_000;

/** Where what is followed goes. */
export interface FollowOutlet {
  /** How long messages may wait in the server for others, in milliseconds. */
  gatherMs(): number;
  receive(message: Msg): void;
}

/** The consumer that is asked, and how asking ends. */
interface Asked {
  readonly consumer: string;
  readonly end: (why: string) => void;
}

/** Keeps asking a consumer for messages, one request at a time; ends the session when the answers stop making sense. */
export class FollowRequests {
  readonly #link: Link;
  readonly #stream: string;
  readonly #session: Asked;
  readonly #outlet: FollowOutlet;
  readonly #inbox = createInbox();
  readonly #subscription: Subscription;
  readonly #timer: NodeJS.Timeout;
  readonly #pace: Pace;
  /** Asked for and not come yet. */
  #requested = 0;
  #heardAt = performance.now();

  constructor(link: Link, stream: string, session: Asked, outlet: FollowOutlet) {
    this.#link = link;
    this.#stream = stream;
    this.#session = session;
    this.#outlet = outlet;
    this.#pace = new Pace({ gatherMs: () => outlet.gatherMs(), threshold: BATCH, ask: () => this.#pull() });
    this.#subscription = link.nc.subscribe(this.#inbox, { callback: (error, message) => this.#take(error, message) });
    this.#timer = setInterval(() => this.#watch(), 1000);
    this.#pull();
  }

  /** Somebody waits for what there is: nothing waits for others. */
  hurry(): void {
    this.#pace.hurry();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#pace.stop();
    this.#subscription.unsubscribe();
  }

  #pull(): void {
    if (this.#requested > 0 || !this.#link.connected() || !this.#pace.allows(BATCH)) return;
    this.#requested = BATCH;
    const times = { expires: EXPIRES_MS * NANOS_PER_MS, idle_heartbeat: HEARTBEAT_MS * NANOS_PER_MS };
    const subject = `$JS.API.CONSUMER.MSG.NEXT.${this.#stream}.${this.#session.consumer}`;
    const request = JSON.stringify({ batch: BATCH, no_wait: true, ...times });
    this.#link.nc.publish(subject, request, { reply: this.#inbox });
  }

  #take(error: Error | null, message: Msg): void {
    try {
      if (error !== null) throw error;
      this.#heardAt = performance.now();
      if (message.subject === this.#inbox) this.#status(message);
      else {
        this.#requested--;
        this.#outlet.receive(message);
        if (this.#requested === 0) this.#pace.answered(true);
      }
      this.#pull();
    } catch (thrown) {
      this.#link.log.error({ err: thrown, stream: this.#stream }, "bus: a followed message was not handled");
      this.#session.end("a message was not handled");
    }
  }

  #status({ headers }: Msg): void {
    const code = headers?.code ?? 0;
    if (code === 100) return;
    if (code === 408 || code === 404) {
      this.#requested = 0;
      this.#pace.answered(false);
    } else {
      this.#session.end(`${code} ${headers?.description ?? ""}`);
    }
  }

  #watch(): void {
    if (performance.now() - this.#heardAt > 2.5 * HEARTBEAT_MS) this.#session.end("the server is silent");
  }
}
