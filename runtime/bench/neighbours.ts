// What a call costs within a process, over a socket and handed over, both ends together; about 30 s.
// Run: node runtime/bench/neighbours.ts [seconds per row, default 2]
import type { Addresses } from "@oceanchat/runtime/addresses";
import { connectCalls } from "@oceanchat/runtime/calls";
import { Neighbours } from "@oceanchat/runtime/neighbours";
import { connectPeers } from "@oceanchat/runtime/peers";
import { silentLog } from "@oceanchat/runtime/testing";
import { EchoService } from "../test/support/echo_pb.ts";
import { openEcho } from "../test/support/echo-door.ts";

const seconds = Number(process.argv[2] ?? 2);
const RATE = 200;
const IN_FLIGHT = 32;
const text = "01999999-0000-7000-8000-000000000000";
const payload = new Uint8Array(200);

const neighbours = new Neighbours();
const door = await openEcho(
  {
    say: (request) => ({ text: request.text }),
    exchange: async (item) => ({ text: item.text, payload: item.payload }),
  },
  { neighbours },
);
const list = [door.address];
const addresses: Addresses = { current: () => list, close: () => undefined };

await measure("nothing", async () => undefined);
for (const [way, near] of [
  ["socket", {}],
  ["neighbour", { neighbours }],
] as const) {
  const peers = connectPeers({ service: EchoService, addresses, log: silentLog, timeoutMs: 10_000, ...near });
  const calls = connectCalls({ method: EchoService.method.exchange, addresses, log: silentLog, ...near });
  await measure(`${way}, unary`, () => peers.call.say({ text }));
  await measure(`${way}, batched`, () => calls.call({ text, payload }, { key: text }));
  calls.close();
  peers.close();
}
await door.close(0);

async function measure(name: string, call: () => Promise<unknown>): Promise<void> {
  await closedLoop(call, 500);
  const busy = await cpuPerCall(() => closedLoop(call, seconds * 1000));
  const paced = await cpuPerCall(() => openLoop(call));
  console.log(`${name}: ${paced} µs of CPU a call at ${RATE}/s, ${busy} µs with ${IN_FLIGHT} in flight`);
}

async function cpuPerCall(run: () => Promise<number>): Promise<string> {
  const before = process.cpuUsage();
  const made = await run();
  const { user, system } = process.cpuUsage(before);
  return ((user + system) / made).toFixed(1);
}

async function closedLoop(call: () => Promise<unknown>, ms: number): Promise<number> {
  const end = performance.now() + ms;
  let made = 0;
  const worker = async () => {
    while (performance.now() < end) {
      await call();
      // A promise that is settled at once would leave no time for timers.
      if (++made % 1000 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, worker));
  return made;
}

/** One at a time, at a constant rate. */
async function openLoop(call: () => Promise<unknown>): Promise<number> {
  const total = RATE * seconds;
  const started = performance.now();
  for (let made = 0; made < total; made++) {
    const waitMs = started + (made * 1000) / RATE - performance.now();
    if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
    await call();
  }
  return total;
}
