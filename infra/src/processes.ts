import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { Child, type ChildSpec } from "./child.ts";
import { acquireLock, type Lock } from "./lock.ts";
import { OrphanGuard } from "./orphan-guard.ts";
import { PidFiles } from "./pid-files.ts";
import type { Status } from "./status.ts";

export type ProcessesOptions = {
  readonly dataDir: string;
  readonly status: Status;
  /** Called when a pid or a state has changed. */
  readonly onChange?: () => void;
};

const START_TIMEOUT_MS = 60_000;
const START_DEATHS = 5;
const STOP_GRACE_MS = 10_000;

/** Path of the lock that the owner of a data folder holds. */
export const ownerLock = (dataDir: string): string => join(dataDir, "lock");

/** The running processes of one data folder. Only one supervisor can have a folder open. */
export class Processes {
  readonly #options: ProcessesOptions;
  readonly #children = new Map<string, Child>();
  readonly #guard = new OrphanGuard();
  readonly #pidFiles: PidFiles;
  readonly #lock: Lock;
  #stopping = false;

  private constructor(options: ProcessesOptions, lock: Lock, pidFiles: PidFiles) {
    this.#options = options;
    this.#lock = lock;
    this.#pidFiles = pidFiles;
  }

  /** Throws LockHeldError when another supervisor works on this folder. */
  static async open(options: ProcessesOptions): Promise<Processes> {
    await mkdir(options.dataDir, { recursive: true });
    const lock = await acquireLock(ownerLock(options.dataDir));
    const pidFiles = new PidFiles(join(options.dataDir, "run"));
    const ended = await pidFiles.endLeftovers();
    if (ended.length > 0) options.status.say(`ended what an earlier run left behind: ${ended.join(", ")}`);
    return new Processes(options, lock, pidFiles);
  }

  /** Starts all at once and waits until each is healthy; they are kept running from then on. */
  async start(specs: readonly ChildSpec[]): Promise<void> {
    if (this.#stopping) throw new Error("stopped while starting");
    const children = specs.map((spec) => {
      const child = this.#supervised(spec);
      this.#children.set(spec.instance, child);
      child.start();
      return child;
    });
    await Promise.all(children.map((child) => child.untilReady(START_TIMEOUT_MS, START_DEATHS)));
  }

  get(instance: string): Child {
    const child = this.#children.get(instance);
    if (child === undefined)
      throw new Error(`no process "${instance}"; there are ${[...this.#children.keys()].join(", ")}`);
    return child;
  }

  pidOf(instance: string): number {
    return this.#children.get(instance)?.pid ?? 0;
  }

  /** That one, or all. */
  async untilReady(instance?: string): Promise<void> {
    const children = instance === undefined ? [...this.#children.values()] : [this.get(instance)];
    await Promise.all(children.map((child) => child.untilReady(START_TIMEOUT_MS)));
  }

  /** Stops group after group, each together: SIGTERM, and SIGKILL after 10 s. */
  async stop(groups: readonly (readonly string[])[]): Promise<void> {
    this.#stopping = true;
    for (const group of groups) {
      const children = group.flatMap((instance) => this.#children.get(instance) ?? []);
      await Promise.all(children.map((child) => this.#stopOne(child)));
    }
  }

  /** SIGKILL to everything, at once. */
  async force(): Promise<void> {
    this.#stopping = true;
    await Promise.all([...this.#children.values()].map((child) => child.stop(0)));
  }

  /** Stops whatever still runs and gives the folder back. */
  async close(): Promise<void> {
    await this.stop([[...this.#children.keys()].reverse()]);
    this.#guard.close();
    await this.#lock.release();
  }

  async #stopOne(child: Child): Promise<void> {
    if (!(await child.stop(STOP_GRACE_MS))) {
      this.#options.status.say(`${child.spec.instance} had to be killed: it did not stop in ${STOP_GRACE_MS / 1000} s`);
    }
  }

  #supervised(spec: ChildSpec): Child {
    const { status, onChange } = this.#options;
    return new Child(spec, {
      onSpawn: (child) => {
        this.#guard.add(child.pid);
        this.#pidFiles.add(spec.instance, child.pid);
        onChange?.();
      },
      onReady: (child) => status.ready(child),
      onDeath: (child, pid, death) => {
        this.#guard.remove(pid);
        this.#pidFiles.remove(spec.instance);
        if (!this.#stopping) status.died(child, pid, death);
        onChange?.();
      },
    });
  }
}
