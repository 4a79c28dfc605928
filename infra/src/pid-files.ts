import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { mkdir, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { identityLine, isAlive, parseIdentity } from "./process-identity.ts";

const GRACE_MS = 10_000;

/** Which processes a data folder has running, so that the next start can end what a crash left behind. */
export class PidFiles {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
    mkdirSync(folder, { recursive: true });
  }

  add(instance: string, pid: number): void {
    writeFileSync(this.#path(instance), identityLine(pid));
  }

  remove(instance: string): void {
    rmSync(this.#path(instance), { force: true });
  }

  /** Ends what an earlier supervisor of this folder left running. A recycled pid is never touched. Returns the names. */
  async endLeftovers(): Promise<string[]> {
    await mkdir(this.#folder, { recursive: true });
    const files = (await readdir(this.#folder)).filter((name) => name.endsWith(".pid"));
    const ended = await Promise.all(files.map((name) => this.#endLeftover(join(this.#folder, name))));
    return files.filter((_, index) => ended[index]).map((name) => name.slice(0, -".pid".length));
  }

  async #endLeftover(file: string): Promise<boolean> {
    const identity = parseIdentity(await readFile(file, "utf8"));
    await rm(file, { force: true });
    if (identity === undefined || !isAlive(identity.pid, identity.startTime)) return false;
    send(identity.pid, "SIGTERM");
    const deadline = Date.now() + GRACE_MS;
    while (isAlive(identity.pid, identity.startTime)) {
      if (Date.now() > deadline) send(identity.pid, "SIGKILL");
      await delay(50);
    }
    return true;
  }

  #path(instance: string): string {
    return join(this.#folder, `${instance}.pid`);
  }
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
  }
}
