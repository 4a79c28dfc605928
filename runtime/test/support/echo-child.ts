import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

const SCRIPT = fileURLToPath(new URL("echo-process.ts", import.meta.url));

/** An EchoService in another process. */
export interface EchoChild {
  readonly address: string;
  /** The texts that it has received. */
  readonly got: ReadonlySet<string>;
  /** Resolves when it has received this text, or has before. */
  received(text: string): Promise<void>;
  /** SIGKILL: its sockets are cut without a word. */
  kill(): Promise<void>;
}

export async function forkEcho(): Promise<EchoChild> {
  const child = fork(SCRIPT);
  const got = new Set<string>();
  let wake = Promise.withResolvers<void>();
  child.on("message", (message: { got?: string }) => {
    if (message.got !== undefined) got.add(message.got);
    wake.resolve();
    wake = Promise.withResolvers();
  });
  const [{ address }] = (await once(child, "message")) as [{ address: string }];
  return {
    address,
    got,
    received: async (text) => {
      while (!got.has(text)) await wake.promise;
    },
    kill: () => kill(child),
  };
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, "exit");
  child.kill("SIGKILL");
  await exited;
}
