import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";

const MAIN = join(import.meta.dirname, "../../src/main.ts");

/** How a run of the real program ended. */
export interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly errors: string;
}

/** A run that goes on. */
export interface RunningCli {
  /** Its next line; rejects when it ends before. */
  line(): Promise<string>;
  /** Ends it as Ctrl-C does. */
  interrupt(): Promise<Ended>;
}

/** Runs the program to its end. */
export async function runCli(env: Readonly<Record<string, string>>, ...args: readonly string[]): Promise<Ended> {
  return startCli(env, ...args).ended;
}

/** Starts the program. */
export function startCli(env: Readonly<Record<string, string>>, ...args: readonly string[]) {
  const child = spawn(process.execPath, [MAIN, ...args], {
    env: { PATH: process.env.PATH, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let out = "";
  let errors = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    errors += text;
  });
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    out += text;
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const ended = once(child, "close").then(([code]): Ended => ({ code: code as number | null, out, errors }));
  return {
    ended,
    async line() {
      const next = await lines.next();
      if (next.done === true) throw new Error(`ended: ${errors}`);
      return next.value;
    },
    interrupt() {
      child.kill("SIGINT");
      return ended;
    },
  } satisfies RunningCli & { readonly ended: Promise<Ended> };
}
