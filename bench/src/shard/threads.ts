import { Worker } from "node:worker_threads";
import type { Pace } from "../paced.ts";
import type { Asked, Said, ShardCall } from "./calls.ts";
import type { ShardPlan, ShardResult, ShardTimes } from "./plan.ts";

interface Pending {
  readonly resolve: (said: Extract<Said, { kind: "done" }>) => void;
  readonly reject: (error: Error) => void;
}

/** One thread and the calls that it has not answered. */
class ShardThread {
  readonly #worker: Worker;
  readonly #pending = new Map<number, Pending>();
  #calls = 0;
  #dead: Error | undefined;
  /** Sockets that it has opened so far. */
  open = 0;

  constructor(plan: ShardPlan) {
    this.#worker = new Worker(new URL("./worker.ts", import.meta.url), { workerData: plan });
    this.#worker.on("message", (said: Said) => this.#heard(said));
    this.#worker.on("error", (error) => this.#die(error instanceof Error ? error : new Error(String(error))));
    this.#worker.on("exit", (code) => this.#die(new Error(`a thread of the generator ended with ${code}`)));
  }

  call(call: ShardCall): Promise<Extract<Said, { kind: "done" }>> {
    if (this.#dead !== undefined) return Promise.reject(this.#dead);
    const number = this.#calls++;
    const asked: Asked = { number, call };
    this.#worker.postMessage(asked);
    return new Promise((resolve, reject) => this.#pending.set(number, { resolve, reject }));
  }

  async terminate(): Promise<void> {
    await this.#worker.terminate();
  }

  #heard(said: Said): void {
    if (said.kind === "open") {
      this.open = said.open;
      return;
    }
    const pending = this.#pending.get(said.number);
    this.#pending.delete(said.number);
    if (said.kind === "done") pending?.resolve(said);
    else pending?.reject(new Error(said.error));
  }

  #die(error: Error): void {
    this.#dead ??= error;
    for (const { reject } of this.#pending.values()) reject(error);
    this.#pending.clear();
  }
}

/** All threads of the generator. */
export class ShardThreads {
  readonly #threads: readonly ShardThread[];

  constructor(plans: readonly ShardPlan[]) {
    this.#threads = plans.map((plan) => new ShardThread(plan));
  }

  /** Opens all sockets; `told` hears now and then how many there are. */
  async connect(pace: Pace, told: (open: number) => void): Promise<void> {
    const each = { perSecond: pace.perSecond / this.#threads.length, atOnce: pace.atOnce };
    const telling = setInterval(() => told(this.#threads.reduce((sum, { open }) => sum + open, 0)), 5_000);
    try {
      await this.#all({ kind: "connect", pace: each });
    } finally {
      clearInterval(telling);
    }
  }

  async load(times: ShardTimes): Promise<void> {
    await this.#all({ kind: "load", times });
  }

  async readSlowly(slowly: boolean): Promise<void> {
    await this.#all({ kind: "readSlowly", slowly });
  }

  async catchUp(): Promise<void> {
    await this.#all({ kind: "catchUp" });
  }

  async churn(perSecond: number): Promise<void> {
    await this.#all({ kind: "churn", perSecond: perSecond / this.#threads.length });
  }

  /** From now on messages count for this phase of the measured time, or for none. */
  async phase(phase: number | undefined): Promise<void> {
    await this.#all({ kind: "phase", phase });
  }

  /** Clients that are not connected, or have not got yet what they missed. */
  async behind(): Promise<number> {
    const said = await this.#all({ kind: "behind" });
    return said.reduce((sum, { behind }) => sum + (behind ?? 0), 0);
  }

  async results(): Promise<ShardResult[]> {
    return (await this.#all({ kind: "result" })).flatMap(({ result }) => result ?? []);
  }

  async close(): Promise<void> {
    await this.#all({ kind: "close" }).catch(() => undefined); // those that have died are closed already
    await Promise.all(this.#threads.map((thread) => thread.terminate()));
  }

  #all(call: ShardCall) {
    return Promise.all(this.#threads.map((thread) => thread.call(call)));
  }
}
