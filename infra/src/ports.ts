import { readFileSync } from "node:fs";
import { rename, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:net";

// Below the ephemeral ranges of Linux and macOS: an outgoing connection can never sit on a port that a
// restarted process wants back.
const FIRST = 20_000;
const BLOCK = 100;
const BLOCKS = 120;

/**
 * Free ports for one mesh. Ports come in blocks; the block's first port is held open as long as this object
 * lives, which keeps other meshes (and tests) out of the block, also between choosing a port and using it.
 */
export class Ports {
  readonly #file: string | undefined;
  readonly #remembered: ReadonlyMap<string, number>;
  readonly #taken = new Map<string, number>();
  readonly #guards: Server[] = [];
  #next = 0;
  #end = 0;

  /** `file` remembers the ports by name, so that a later run gets the same ones where they are free. */
  constructor(file?: string) {
    this.#file = file;
    this.#remembered = file === undefined ? new Map() : readRemembered(file);
  }

  /** The same name gives the same port, in this run and (if free) in the next. */
  async take(name: string): Promise<number> {
    if (this.#guards.length === 0) await this.#enterBlock(this.#rememberedBlock());
    const known = this.#taken.get(name);
    if (known !== undefined) return known;
    const before = this.#remembered.get(name);
    const port = before !== undefined && this.#owns(before) && (await isFree(before)) ? before : await this.#nextFree();
    this.#taken.set(name, port);
    return port;
  }

  /** Writes the file given to the constructor. */
  async save(): Promise<void> {
    if (this.#file === undefined) return;
    const draft = `${this.#file}.${process.pid}`;
    await writeFile(draft, `${JSON.stringify(Object.fromEntries(this.#taken), null, 2)}\n`);
    await rename(draft, this.#file);
  }

  async release(): Promise<void> {
    await Promise.all(this.#guards.splice(0).map((guard) => new Promise((done) => guard.close(done))));
  }

  #rememberedBlock(): number | undefined {
    for (const port of this.#remembered.values()) {
      if (port > FIRST && port < FIRST + BLOCK * BLOCKS) return Math.floor((port - FIRST) / BLOCK);
    }
    return undefined;
  }

  #owns(port: number): boolean {
    return port > this.#end - BLOCK && port < this.#end && ![...this.#taken.values()].includes(port);
  }

  async #nextFree(): Promise<number> {
    const reserved = new Set(this.#remembered.values());
    for (let tried = 0; tried < 10 * BLOCK; tried++) {
      if (this.#next === this.#end) await this.#enterBlock(undefined);
      const port = this.#next++;
      if (!reserved.has(port) && (await isFree(port))) return port;
    }
    throw new Error(`no free port between ${FIRST} and ${FIRST + BLOCK * BLOCKS}`);
  }

  async #enterBlock(preferred: number | undefined): Promise<void> {
    const start = Math.floor(Math.random() * BLOCKS);
    const order = Array.from({ length: BLOCKS }, (_, index) => (start + index) % BLOCKS);
    for (const block of preferred === undefined ? order : [preferred, ...order]) {
      const guard = await listen(FIRST + block * BLOCK);
      if (guard === undefined) continue;
      guard.unref();
      this.#guards.push(guard);
      this.#next = FIRST + block * BLOCK + 1;
      this.#end = FIRST + (block + 1) * BLOCK;
      return;
    }
    throw new Error("every block of ports is in use; is an old mesh still running?");
  }
}

/** True when nothing listens on the port of this machine. */
export async function isFree(port: number, host = "127.0.0.1"): Promise<boolean> {
  const server = await listen(port, host);
  if (server === undefined) return false;
  await new Promise((done) => server.close(done));
  return true;
}

function listen(port: number, host = "127.0.0.1"): Promise<Server | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.once("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "EADDRINUSE" || error.code === "EACCES") resolve(undefined);
      else reject(error);
    });
    server.listen({ port, host, exclusive: true }, () => resolve(server));
  });
}

function readRemembered(file: string): Map<string, number> {
  try {
    const content: unknown = JSON.parse(readFileSync(file, "utf8"));
    const entries = typeof content === "object" && content !== null ? Object.entries(content) : [];
    return new Map(entries.filter((entry): entry is [string, number] => Number.isInteger(entry[1])));
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return new Map();
    if (error instanceof SyntaxError) return new Map(); // only a memory: a damaged one is written anew
    throw error;
  }
}
