import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import { ARCHIVE_RULES, type ArchiveReport, archive } from "./core/archive.ts";
import type { ArchiveStore } from "./ports.ts";

/** How long one run takes at most, in milliseconds; it goes on where it stopped. */
const RUN_MS = 5_000;
/** The pause after each block: at most some 20,000 records a second are moved. */
const PAUSE_MS = 50;

export interface ArchiverOptions {
  readonly store: ArchiveStore;
  /** How old records become before they are moved by themselves, in milliseconds. */
  readonly ageMs: number;
  /** Milliseconds since the epoch. */
  now(): number;
  readonly log: Logger;
}

/** Moves old records, one run after another, by itself and when asked. */
export class Archiver {
  readonly ageMs: number;
  readonly #options: ArchiverOptions;
  #stopped = false;
  /** Where the last run over all conversations has stopped, and what age it was for. */
  #stand: { readonly ageMs: number; readonly after: string | undefined } | undefined;
  #last: Promise<unknown> = Promise.resolve();

  constructor(options: ArchiverOptions) {
    this.#options = options;
    this.ageMs = options.ageMs;
  }

  /** Moves records older than that, of one conversation or all, for some seconds. Waits for the run that is under way. */
  runFor(ageMs: number, conversationId: string | undefined): Promise<ArchiveReport> {
    const run = this.#last.then(() => this.#run(ageMs, conversationId));
    // Whoever asked for it hears what went wrong; the next run only waits.
    this.#last = run.catch(() => undefined);
    return run;
  }

  /** Moves everything that is old enough. */
  async runAll(): Promise<void> {
    for (;;) {
      const { next, ...moved } = await this.runFor(this.ageMs, undefined);
      if (moved.blocks > 0) this.#options.log.info(moved, "old records are archived");
      if (next === undefined || this.#stopped) return;
    }
  }

  /** Ends the run that is under way, at its next block. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#last;
  }

  async #run(ageMs: number, conversationId: string | undefined): Promise<ArchiveReport> {
    const { store, now, log } = this.#options;
    const after = this.#stand?.ageMs === ageMs ? this.#stand.after : undefined;
    const until = performance.now() + RUN_MS;
    const report = await archive(store, ARCHIVE_RULES, {
      before: now() - ageMs,
      conversationId,
      after,
      now,
      isOver: () => this.#stopped || performance.now() > until,
      onConflict: (error) => log.error({ err: error }, "the archive of a conversation is not as it should be"),
      pause: () => sleep(PAUSE_MS),
    });
    if (conversationId === undefined) this.#stand = { ageMs, after: report.next };
    return report;
  }
}
