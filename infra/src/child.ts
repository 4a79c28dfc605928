import { type ChildProcess, spawn } from "node:child_process";
import { closeSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { lastLines, openLog } from "./log-file.ts";
import type { Probe } from "./probe.ts";
import { untilStopped } from "./process-identity.ts";

export type ChildSpec = {
  /** Unique name: auth-1, nats. */
  readonly instance: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  /** Only for the status line. */
  readonly ports: Readonly<Record<string, number>>;
  readonly ready: Probe;
  readonly logFile: string;
};

export type Death = {
  readonly reason: string;
  readonly lastLines: readonly string[];
  readonly intended: boolean;
  /** It had not been ready since the death before: most likely the same cause. */
  readonly again: boolean;
};

export type ChildEvents = {
  onSpawn(child: Child): void;
  onReady(child: Child): void;
  onDeath(child: Child, pid: number, death: Death): void;
};

type Run = { readonly process: ChildProcess; readonly pid: number; readonly exited: Promise<void> };
type Waiter = { resolve(): void; reject(error: Error): void };

const FIRST_BACKOFF_MS = 100;
const LAST_BACKOFF_MS = 5_000;
const STEADY_MS = 30_000;
const PROBE_TIMEOUT_MS = 2_000;
const PROBE_INTERVAL_MS = 25;
const FATAL: ReadonlySet<NodeJS.Signals> = new Set(["SIGKILL", "SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT", "SIGABRT"]);

/** One supervised process: kept running on the same ports until it is stopped. */
export class Child {
  readonly spec: ChildSpec;
  readonly #events: ChildEvents;
  readonly #waiters = new Set<Waiter>();
  #run: Run | undefined;
  #restartTimer: NodeJS.Timeout | undefined;
  #backoffMs = FIRST_BACKOFF_MS;
  #stopping = false;
  #killed = false;
  #ready = false;
  #readyAfterMs = 0;
  #restarts = 0;
  #deathsBeforeReady = 0;
  #lastDeath: Death | undefined;
  #lastProbeError = "not asked yet";

  constructor(spec: ChildSpec, events: ChildEvents) {
    this.spec = spec;
    this.#events = events;
  }

  /** 0 while it is down. */
  get pid(): number {
    return this.#run?.pid ?? 0;
  }

  get restarts(): number {
    return this.#restarts;
  }

  get readyAfterMs(): number {
    return this.#readyAfterMs;
  }

  start(): void {
    const startedAt = performance.now();
    const log = openLog(this.spec.logFile);
    const child = spawn(this.spec.command, [...this.spec.args], {
      cwd: this.spec.cwd,
      env: { ...this.spec.env },
      detached: true, // its own process group: Ctrl-C reaches only the supervisor, which then stops all in order
      stdio: ["ignore", log.fd, log.fd],
    });
    closeSync(log.fd);
    const gone = new AbortController();
    let settled = false;
    const exited = new Promise<void>((resolve) => {
      const end = (reason: string): void => {
        if (settled) return;
        settled = true;
        gone.abort();
        this.#onExit(child.pid ?? 0, reason, performance.now() - startedAt, log.size);
        resolve();
      };
      child.on("error", (error) => end(`could not run: ${error.message}`));
      child.on("exit", (code, signal) => end(signal === null ? `exit code ${code}` : `signal ${signal}`));
    });
    if (child.pid === undefined) return; // "error" follows
    this.#run = { process: child, pid: child.pid, exited };
    this.#events.onSpawn(this);
    void this.#probe(gone.signal, startedAt);
  }

  /**
   * Resolves when the process is healthy, at once if it is. Rejects after `timeoutMs`, or when it has died
   * `maxDeaths` times without ever having been ready.
   */
  untilReady(timeoutMs: number, maxDeaths = Number.POSITIVE_INFINITY): Promise<void> {
    if (this.#ready) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const settle = (error?: Error): void => {
        clearTimeout(timer);
        this.#waiters.delete(waiter);
        if (error === undefined) resolve();
        else reject(error);
      };
      const waiter: Waiter = {
        resolve: () => settle(),
        reject: (error) => {
          if (this.#stopping || this.#deathsBeforeReady >= maxDeaths) settle(error);
        },
      };
      const timer = setTimeout(() => settle(this.#notReady(`not ready after ${timeoutMs} ms`)), timeoutMs);
      this.#waiters.add(waiter);
    });
  }

  /** Sends the signal to the process group; resolves when the process has gone or stands still, where that is what the signal does. */
  async kill(signal: NodeJS.Signals): Promise<void> {
    const run = this.#run;
    if (run === undefined) return;
    if (FATAL.has(signal)) this.#killed = true;
    signalGroup(run.pid, signal);
    if (FATAL.has(signal)) await run.exited;
    else if (signal === "SIGSTOP") await untilStopped(run.pid);
  }

  /** SIGTERM, then SIGKILL after `graceMs`. Returns false when it had to be forced. */
  async stop(graceMs: number): Promise<boolean> {
    this.#stopping = true;
    clearTimeout(this.#restartTimer);
    this.#rejectWaiters(`${this.spec.instance} was stopped`);
    const run = this.#run;
    if (run === undefined) return true;
    signalGroup(run.pid, "SIGTERM");
    signalGroup(run.pid, "SIGCONT"); // a frozen one could not see the SIGTERM
    const inTime = await Promise.race([run.exited.then(() => true), delay(graceMs, false, { ref: false })]);
    if (!inTime) await this.kill("SIGKILL");
    return inTime;
  }

  async #probe(gone: AbortSignal, startedAt: number): Promise<void> {
    while (!gone.aborted) {
      try {
        await this.spec.ready(AbortSignal.any([gone, AbortSignal.timeout(PROBE_TIMEOUT_MS)]));
        break;
      } catch (error) {
        this.#lastProbeError = error instanceof Error ? error.message : String(error);
        await delay(PROBE_INTERVAL_MS);
      }
    }
    if (gone.aborted) return;
    this.#ready = true;
    this.#deathsBeforeReady = 0;
    this.#readyAfterMs = Math.round(performance.now() - startedAt);
    this.#events.onReady(this);
    for (const waiter of [...this.#waiters]) waiter.resolve();
  }

  #onExit(pid: number, reason: string, livedMs: number, logFrom: number): void {
    if (!this.#ready) this.#deathsBeforeReady += 1;
    this.#run = undefined;
    this.#ready = false;
    const intended = this.#killed || this.#stopping;
    this.#killed = false;
    const again = this.#deathsBeforeReady > 1;
    this.#lastDeath = { reason, lastLines: lastLines(this.spec.logFile, logFrom), intended, again };
    this.#events.onDeath(this, pid, this.#lastDeath);
    if (this.#stopping) return;
    this.#rejectWaiters(`died ${this.#deathsBeforeReady} times before it was ready`);
    if (livedMs >= STEADY_MS) this.#backoffMs = FIRST_BACKOFF_MS;
    this.#restartTimer = setTimeout(() => {
      this.#restarts += 1;
      this.start();
    }, this.#backoffMs);
    this.#backoffMs = Math.min(this.#backoffMs * 2, LAST_BACKOFF_MS);
  }

  #rejectWaiters(why: string): void {
    for (const waiter of [...this.#waiters]) waiter.reject(this.#notReady(why));
  }

  #notReady(why: string): Error {
    const death = this.#lastDeath;
    const last = death === undefined ? `last answer: ${this.#lastProbeError}` : `last death: ${death.reason}`;
    const lines = death?.lastLines ?? lastLines(this.spec.logFile, 0);
    return new Error(`${this.spec.instance}: ${why}; ${last}\n${lines.map((line) => `    ${line}`).join("\n")}`);
  }
}

function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
  }
}
