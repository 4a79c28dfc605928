// Unary calls against batched calls over loopback, server in a process of its own; about 25 s.
// Run: node runtime/bench/calls.ts [seconds per row, default 2]
import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { Addresses } from "@oceanchat/runtime/addresses";
import { connectCalls } from "@oceanchat/runtime/calls";
import { connectPeers } from "@oceanchat/runtime/peers";
import { silentLog } from "@oceanchat/runtime/testing";
import { EchoService } from "../test/support/echo_pb.ts";
import { openEcho } from "../test/support/echo-door.ts";

const SELF = fileURLToPath(import.meta.url);
const seconds = Number(process.argv[2] ?? 2);
const text = "01999999-0000-7000-8000-000000000000";
const payload = new Uint8Array(200);

if (process.send === undefined) await measure();
else await serve();

async function serve(): Promise<void> {
  const door = await openEcho({
    say: (request) => ({ text: request.text }),
    exchange: async (item) => ({ text: item.text, payload: item.payload }),
  });
  process.on("message", () => process.send?.(process.cpuUsage()));
  process.on("disconnect", () => process.exit());
  process.send?.(door.address);
}

async function measure(): Promise<void> {
  const server = fork(SELF);
  const [address] = (await once(server, "message")) as [string];
  const addresses: Addresses = { current: () => list, close: () => undefined };
  const list = [address];
  const serverCpu = async () => {
    server.send("cpu");
    const [usage] = (await once(server, "message")) as [NodeJS.CpuUsage];
    return usage.user + usage.system;
  };
  const peers = connectPeers({ service: EchoService, addresses, log: silentLog, timeoutMs: 10_000 });
  const calls = connectCalls({ method: EchoService.method.exchange, addresses, log: silentLog, maxInFlight: 4096 });
  const unary = () => peers.call.say({ text });
  const batched = () => calls.call({ text, payload }, { key: text });
  for (const inFlight of [1, 32, 128]) await closedLoop("unary", unary, inFlight, serverCpu);
  for (const inFlight of [1, 32, 128, 512, 1024]) await closedLoop("batched", batched, inFlight, serverCpu);
  for (const rate of [1000, 5000, 20_000]) await openLoop("batched", batched, rate);
  await openLoop("unary", unary, 1000);
  calls.close();
  peers.close();
  server.kill();
}

/** A fixed number of calls in flight: how many per second, and what one costs each process. */
async function closedLoop(name: string, call: () => Promise<unknown>, inFlight: number, cpu: () => Promise<number>) {
  const run = async (ms: number) => {
    const end = performance.now() + ms;
    const latencies: number[] = [];
    const worker = async () => {
      for (let now = performance.now(); now < end; ) {
        await call();
        const after = performance.now();
        latencies.push(after - now);
        now = after;
      }
    };
    await Promise.all(Array.from({ length: inFlight }, worker));
    return latencies;
  };
  await run(500);
  const [before, mine] = [await cpu(), process.cpuUsage()];
  const started = performance.now();
  const latencies = await run(seconds * 1000);
  const elapsed = (performance.now() - started) / 1000;
  const used = process.cpuUsage(mine);
  const perItem = (us: number) => (us / latencies.length).toFixed(1);
  console.log(
    `${name} c=${inFlight}: ${Math.round(latencies.length / elapsed)}/s, p50/p99 ${percentiles(latencies)} ms, ` +
      `client/server ${perItem(used.user + used.system)}/${perItem((await cpu()) - before)} µs per item`,
  );
}

/** A fixed arrival rate: latency from the moment a call was due. */
async function openLoop(name: string, call: () => Promise<unknown>, rate: number) {
  const total = rate * seconds;
  const latencies: number[] = [];
  const started = performance.now();
  const open: Promise<unknown>[] = [];
  while (open.length < total) {
    const due = Math.min(total, Math.floor(((performance.now() - started) * rate) / 1000));
    while (open.length < due) {
      const at = started + (open.length * 1000) / rate;
      open.push(call().then(() => latencies.push(performance.now() - at)));
    }
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await Promise.all(open);
  console.log(`${name} at ${rate}/s: p50/p99 ${percentiles(latencies)} ms`);
}

function percentiles(values: number[]): string {
  values.sort((a, b) => a - b);
  const at = (share: number) => values[Math.floor(values.length * share)]?.toFixed(2);
  return `${at(0.5)}/${at(0.99)}`;
}
