import { create } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { DisconnectedSchema, type Replaced } from "@oceanchat/gen/oceanchat/presence/v1/presence_mesh_service_pb";
import { toServiceError } from "@oceanchat/runtime/fail";
import type { PresencePort, ReportEvent } from "../ports.ts";

/** A connection as it is reported. */
export interface Reportable {
  readonly id: string;
  readonly userId: string;
  /** Made when it is sent, since few are sent at the same time. */
  readonly connected: () => ReportEvent;
}

export interface ReportsOptions {
  readonly presence: PresencePort;
  /** Reports that wait for an answer at the same time. */
  readonly inFlight: number;
  /** Connections that presence is still to be told of at most; beyond it those that are gone are left out. */
  readonly maxPending: number;
  /** Calls back after some milliseconds. */
  readonly after: (ms: number, run: () => void) => void;
  /** Connections that newer ones replace. */
  readonly onReplaced: (replaced: readonly Replaced[]) => void;
  /** Presence has lost what it was told: calls `again` for every connection. */
  readonly onReportAll: () => void;
  /** Presence can't be told of a connection. */
  readonly onRefused: (cause: unknown) => void;
}

/** A connection that presence has still to be told something about. */
interface Entry {
  readonly subject: Reportable;
  readonly onReported: (() => void) | undefined;
  gone: boolean;
  /** Whether presence may know of it. */
  sent: boolean;
  running: boolean;
  again: boolean;
}

const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5_000;

/**
 * Tells presence of connections until it has heard: a connection lives whether presence is there or not. A connection that
 * comes and goes while presence is away costs nothing; one that was reported is reported as gone in any case.
 */
export class Reports {
  readonly #options: ReportsOptions;
  readonly #entries = new Map<string, Entry>();
  readonly #queue = new Set<Entry>();
  /** What is left of reporting everything again. */
  readonly #all = new Set<Entry>();
  /** Asked for everything while everything was being reported: what had been reported by then may be lost. */
  #allAgain = false;
  /** An answer that may have asked for everything didn't arrive. */
  #unsure = false;
  #running = 0;
  #paused = false;
  #pauseMs = FIRST_PAUSE_MS;
  #idle: (() => void)[] = [];

  constructor(options: ReportsOptions) {
    this.#options = options;
  }

  /** A new connection; `onReported` when presence has heard, or has refused to. */
  connected(subject: Reportable, onReported?: () => void): void {
    this.#add({ subject, onReported, gone: false, sent: false, running: false, again: false });
  }

  /** A connection that presence has been told of before. */
  again(subject: Reportable): void {
    const known = this.#entries.get(subject.id);
    const entry = known ?? { subject, onReported: undefined, gone: false, sent: true, running: false, again: false };
    this.#all.add(entry);
    if (known === undefined) this.#add(entry);
    else known.again = known.running;
  }

  disconnected(subject: Reportable): void {
    const entry = this.#entries.get(subject.id);
    if (entry === undefined) {
      if (this.#entries.size >= this.#options.maxPending) return;
      this.#add({ subject, onReported: undefined, gone: true, sent: true, running: false, again: false });
    } else {
      entry.gone = true;
      if (!entry.sent) this.#remove(entry);
    }
  }

  /** Reports something about the gateway itself, once. Rejects when presence can't be told. */
  async tell(event: ReportEvent, key: string): Promise<void> {
    let answer: Awaited<ReturnType<PresencePort["report"]>>;
    try {
      answer = await this.#options.presence.report(event, key);
    } catch (error) {
      // Presence asks for everything once. When that answer is lost, only the gateway can know that it may have been asked.
      this.#unsure = true;
      throw error;
    }
    const reportAll = answer.reportAll || this.#unsure;
    this.#unsure = false;
    this.#heard({ ...answer, reportAll });
  }

  /** Resolves when presence has heard everything. */
  async allHeard(): Promise<void> {
    if (this.#entries.size > 0) await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  #add(entry: Entry): void {
    this.#entries.set(entry.subject.id, entry);
    this.#queue.add(entry);
    this.#run();
  }

  #remove(entry: Entry): void {
    this.#queue.delete(entry);
    if (this.#all.delete(entry) && this.#all.size === 0 && this.#allAgain) {
      this.#allAgain = false;
      this.#options.onReportAll();
    }
    this.#entries.delete(entry.subject.id);
    if (this.#entries.size > 0) return;
    for (const resolve of this.#idle.splice(0)) resolve();
  }

  #run(): void {
    for (const entry of this.#queue) {
      if (this.#paused || this.#running >= this.#options.inFlight) return;
      this.#queue.delete(entry);
      void this.#report(entry);
    }
  }

  /** Never rejects. */
  async #report(entry: Entry): Promise<void> {
    const { subject, gone } = entry;
    this.#running++;
    entry.running = true;
    entry.sent = true;
    entry.again = false;
    let done = true;
    try {
      this.#heard(await this.#options.presence.report(gone ? goneEvent(subject) : subject.connected(), subject.userId));
      this.#pauseMs = FIRST_PAUSE_MS;
    } catch (thrown) {
      done = !mayRetry(thrown);
      if (done) this.#options.onRefused(thrown);
      else this.#pause();
    }
    this.#running--;
    entry.running = false;
    if (done) entry.onReported?.();
    if (done && !entry.again && gone === entry.gone) this.#remove(entry);
    else this.#queue.add(entry);
    this.#run();
  }

  #heard({ replaced, reportAll }: Awaited<ReturnType<PresencePort["report"]>>): void {
    if (replaced.length > 0) this.#options.onReplaced(replaced);
    if (!reportAll) return;
    if (this.#all.size === 0) this.#options.onReportAll();
    else this.#allAgain = true;
  }

  /** One report that fails holds all back: they all go to the same place. */
  #pause(): void {
    if (this.#paused) return;
    this.#paused = true;
    this.#options.after(this.#pauseMs, () => {
      this.#paused = false;
      this.#run();
    });
    this.#pauseMs = Math.min(this.#pauseMs * 2, LONGEST_PAUSE_MS);
  }
}

const goneEvent = ({ id, userId }: Reportable): ReportEvent => ({
  case: "disconnected",
  value: create(DisconnectedSchema, { connectionId: id, userId }),
});

function mayRetry(thrown: unknown): boolean {
  const { code } = toServiceError(thrown);
  return code === Code.Unavailable || code === Code.DeadlineExceeded || code === Code.ResourceExhausted;
}
