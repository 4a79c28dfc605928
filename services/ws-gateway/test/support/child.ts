import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { type Accepting, acceptingOf, isAccepting, type LogLine } from "./gateway.ts";
import { Arrivals } from "./mesh.ts";

const MAIN = fileURLToPath(new URL("../../src/main.ts", import.meta.url));

/** A gateway as a process of its own. */
export class GatewayProcess {
  readonly log = new Arrivals<LogLine>();
  readonly exited: Promise<number | null>;
  readonly #child: ChildProcess;

  private constructor(env: Readonly<Record<string, string>>, flags: readonly string[]) {
    this.#child = spawn(process.execPath, [...flags, MAIN], { env: { ...env }, stdio: ["ignore", "pipe", "inherit"] });
    this.exited = once(this.#child, "exit").then(([code]) => (typeof code === "number" ? code : null));
    const { stdout } = this.#child;
    if (stdout === null) throw new Error("no output");
    createInterface({ input: stdout }).on("line", (line) => this.log.add(JSON.parse(line)));
  }

  /** `flags` are node's own. */
  static async start(
    env: Readonly<Record<string, string>>,
    flags: readonly string[] = [],
  ): Promise<{ gateway: GatewayProcess; at: Accepting }> {
    const gateway = new GatewayProcess(env, flags);
    return { gateway, at: acceptingOf(await gateway.log.find(isAccepting)) };
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }
}
