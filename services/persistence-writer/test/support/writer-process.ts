import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const MAIN = fileURLToPath(new URL("../../src/main.ts", import.meta.url));

/** A persistence-writer in a process of its own, so that it can be killed. */
export class WriterProcess {
  readonly #child: ChildProcess;
  readonly #lines: string[] = [];

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  /** Resolves when it serves. */
  static async start(env: Readonly<Record<string, string>>): Promise<WriterProcess> {
    const child = spawn(process.execPath, [MAIN], {
      env: { ...process.env, ...env, OCEANCHAT_LISTEN_HOST: "127.0.0.1", OCEANCHAT_MESH_PORT: "0" },
      stdio: ["ignore", "pipe", "inherit"],
    });
    const writer = new WriterProcess(child);
    await new Promise<void>((resolve, reject) => {
      child.once("error", reject);
      child.once("exit", (code) => reject(new Error(`exit ${code} before it served:\n${writer.#lines.join("\n")}`)));
      createInterface({ input: child.stdout }).on("line", (line) => {
        writer.#lines.push(line);
        if (line.includes('"msg":"serving"')) resolve();
      });
    });
    return writer;
  }

  /** What it has logged so far. */
  log(): string {
    return this.#lines.join("\n");
  }

  /** Ends it; resolves with its exit code, null after SIGKILL. */
  async end(signal: "SIGTERM" | "SIGKILL"): Promise<number | null> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const gone = once(this.#child, "close"); // and all that it wrote has been read
      this.#child.kill(signal);
      await gone;
    }
    return this.#child.exitCode;
  }
}
