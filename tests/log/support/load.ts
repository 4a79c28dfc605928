import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { LogMesh } from "./log-mesh.ts";
import type { LogUser } from "./log-user.ts";
import { type Attempted, mayChange, type Recorder, saying } from "./recorder.ts";

const TICK_MS = 20;

/** What became of the sends that were begun in some time. */
export interface Phase {
  readonly sent: number;
  readonly ok: number;
  /** The longest that an accepted one took, in milliseconds. */
  readonly slowestMs: number;
  /** The others, by reason. */
  readonly others: Readonly<Record<string, number>>;
}

/** Sends at a steady rate, however long answers take; each message once. What is not known is repeated in the end. */
export class Load {
  readonly #recorder: Recorder;
  readonly #users: readonly LogUser[];
  readonly #conversationIds: readonly string[];
  readonly #operations: Attempted[] = [];
  readonly #running: Promise<unknown>[] = [];
  readonly #perTick: number;
  #due = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(recorder: Recorder, users: readonly LogUser[], conversationIds: readonly string[], perSecond: number) {
    this.#recorder = recorder;
    this.#users = users;
    this.#conversationIds = conversationIds;
    this.#perTick = (perSecond * TICK_MS) / 1000;
  }

  start(): void {
    let last = performance.now();
    this.#timer = setInterval(() => {
      const now = performance.now();
      this.#due += (this.#perTick * (now - last)) / TICK_MS;
      last = now;
      for (; this.#due >= 1; this.#due--) this.#send();
    }, TICK_MS);
  }

  /** Sends nothing new, and waits until everything is answered, known or not. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all(this.#running);
  }

  /** Repeats what isn't known, or was refused and may pass, until it is answered. */
  async resolve(): Promise<void> {
    const open = this.#operations.filter(({ tries }) => tries.every(({ outcome }) => mayChange(outcome)));
    for (let next = open.pop(); next !== undefined; next = open.pop()) await this.#recorder.resolve(next);
  }

  /** What became of what was begun from one moment to another. */
  phase(from: number, to: number): Phase {
    const tries = this.#operations.flatMap((operation) => operation.tries.slice(0, 1));
    const begun = tries.filter(({ began }) => began >= from && began < to);
    const ok = begun.filter(({ outcome }) => outcome.kind === "ok");
    const others: Record<string, number> = {};
    for (const { outcome } of begun) {
      if (outcome.kind !== "ok") others[outcome.reason] = (others[outcome.reason] ?? 0) + 1;
    }
    const slowestMs = Math.round(Math.max(0, ...ok.map(({ began, ended }) => ended - began)));
    return { sent: begun.length, ok: ok.length, slowestMs, others };
  }

  /** When the first of what was begun after a moment was accepted, in milliseconds after it. */
  recoveredAfterMs(moment: number): number {
    const tries = this.#operations.flatMap((operation) => operation.tries);
    const ends = tries
      .filter(({ ended, outcome }) => outcome.kind === "ok" && ended >= moment)
      .map(({ ended }) => ended);
    return Math.round(Math.min(...ends) - moment);
  }

  get sent(): number {
    return this.#operations.length;
  }

  #send(): void {
    const number = this.#operations.length;
    const user = this.#users[number % this.#users.length];
    const conversationId = this.#conversationIds[number % this.#conversationIds.length];
    if (user === undefined || conversationId === undefined) throw new Error("a load needs users and conversations");
    const operation = this.#recorder.begin(saying(user, conversationId, `load ${number}`));
    this.#operations.push(operation);
    // The same instance for a conversation, as routers choose it.
    const instance = number % this.#conversationIds.length;
    this.#running.push(this.#recorder.try(operation, { instance }));
  }
}

/** How much memory each of these processes has, in MB. */
export function memoryOf({ mesh }: LogMesh, instances: readonly string[]): number[] {
  return instances.map((instance) => {
    const status = readFileSync(`/proc/${mesh.process(instance).pid}/status`, "utf8");
    return Math.round(Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024);
  });
}

/** Waits until the store holds so many records of these conversations; gives how long that took. */
export async function untilStored(
  { mongo }: LogMesh,
  conversationIds: readonly string[],
  expected: number,
  limitMs: number,
) {
  const records = mongo.db("oceanchat").collection("records");
  const began = performance.now();
  for (;;) {
    const stored = await records.countDocuments({ conversationId: { $in: [...conversationIds] } });
    const tookMs = performance.now() - began;
    if (stored >= expected) return { stored, tookMs };
    if (tookMs > limitMs) throw new Error(`${stored} of ${expected} records are stored after ${Math.round(tookMs)} ms`);
    await sleep(50);
  }
}
