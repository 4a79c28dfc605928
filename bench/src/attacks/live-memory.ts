import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";

/** Where Node's inspector listens once SIGUSR1 has started it, unless it was told another port. */
const INSPECTOR_PORT = 9229;
const OPENS_WITHIN_MS = 5_000;
const LOOK_EVERY_MS = 20;
const ANSWER_MS = 10_000;
/** Somebody else may have the port for a while. */
const TRIES = 10;
const TRY_AGAIN_MS = 1_000;
/** Twice: what the first time made finalizable goes with the second. */
const STEPS = ["HeapProfiler.enable", "HeapProfiler.collectGarbage", "HeapProfiler.collectGarbage"] as const;
const USED = `JSON.stringify([process.pid, process.memoryUsage().heapUsed + process.memoryUsage().external])`;
/** Ends the inspector, when nobody is connected any more: it would wait for them. */
const END = `setTimeout(() => process.getBuiltinModule("inspector").close(), 20), 1`;

/**
 * Bytes that a Node process refers to: its heap after a collection, and what lies outside of it. RSS tells little about that, since V8
 * collects late. One process at a time: the inspector's port is always the same.
 */
export async function liveBytes(pid: number, port = INSPECTOR_PORT): Promise<number> {
  for (let attempt = 1; attempt <= TRIES; attempt++) {
    process.kill(pid, "SIGUSR1");
    const bytes = await inspected(pid, new WebSocket(await inspectorUrl(port)));
    await untilClosed(port);
    if (bytes !== undefined) return bytes;
    await sleep(TRY_AGAIN_MS * Math.random());
  }
  throw new Error(`another process has the inspector's port, not ${pid}`);
}

/** Undefined when it is another process. */
async function inspected(pid: number, socket: WebSocket): Promise<number | undefined> {
  const evaluate = async (expression: string) => numbersIn(await ask(socket, "Runtime.evaluate", { expression }));
  try {
    await once(socket, "open", { signal: AbortSignal.timeout(ANSWER_MS) });
    if ((await evaluate(USED))[0] !== pid) return undefined;
    for (const method of STEPS) await ask(socket, method);
    const [, bytes] = await evaluate(USED);
    await ask(socket, "Runtime.evaluate", { expression: END });
    return bytes;
  } finally {
    socket.close();
  }
}

async function inspectorUrl(port: number): Promise<string> {
  const until = performance.now() + OPENS_WITHIN_MS;
  for (;;) {
    const targets = await targetsOf(port);
    const url = targets?.[0]?.webSocketDebuggerUrl;
    if (url !== undefined) return url;
    if (performance.now() > until) throw new Error("no inspector has come up");
    await sleep(LOOK_EVERY_MS);
  }
}

async function untilClosed(port: number): Promise<void> {
  const until = performance.now() + OPENS_WITHIN_MS;
  while (performance.now() < until && (await targetsOf(port)) !== undefined) await sleep(LOOK_EVERY_MS);
}

/** Undefined while there is none. */
async function targetsOf(port: number): Promise<readonly { readonly webSocketDebuggerUrl?: string }[] | undefined> {
  try {
    const answer = await fetch(`http://127.0.0.1:${port}/json/list`, {
      headers: { connection: "close" },
      signal: AbortSignal.timeout(ANSWER_MS),
    });
    return JSON.parse(await answer.text());
  } catch {
    return undefined; // refused: that is the answer
  }
}

async function ask(socket: WebSocket, method: string, params: object = {}): Promise<string> {
  const answer = once(socket, "message", { signal: AbortSignal.timeout(ANSWER_MS) });
  socket.send(JSON.stringify({ id: 1, method, params }));
  const [event] = await answer;
  return event instanceof MessageEvent ? String(event.data) : "";
}

/** The two numbers of the evaluated text. */
export function numbersIn(answer: string): [number, number] {
  const [, pid, bytes] = /\[(\d+),(\d+)\]/.exec(answer) ?? [];
  if (pid === undefined || bytes === undefined) throw new Error(`no figures in ${answer}`);
  return [Number(pid), Number(bytes)];
}
