// How fast the bus is: `node runtime/bench/bus.ts [seconds per measurement]`. Starts its own nats-server.
import { jetstream } from "@nats-io/jetstream";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { DeadLetterSchema } from "@oceanchat/gen/oceanchat/errors/v1/dead_letter_pb";
import { Retention } from "@oceanchat/gen/oceanchat/options/v1/options_pb";
import { startServers } from "@oceanchat/infra/servers-for-tests";
import { connectBus } from "@oceanchat/runtime/bus";
import type { Bus } from "@oceanchat/runtime/bus-types";
import { streamOf } from "@oceanchat/runtime/streams";
import { pino } from "pino";
import { declareStream } from "../test/support/declared-stream.ts";

const CONVERSATIONS = 256;
const ROUNDS = 4;
const seconds = Number(process.argv[2] ?? 3);
const payload = new Uint8Array(200).fill(120);
const declaration = declareStream({
  name: "BENCH",
  subjects: [{ name: "room", pattern: "bench.{partition}.{id}" }],
  partitions: 64,
  retention: Retention.LIMITS,
  duplicateWindowSeconds: 120,
  maxMessageBytes: 65_536,
});
const stream = streamOf(declaration);

type Append = (subject: string, head: number, messageId: string) => Promise<number>;

/** Each conversation appends one message after the other, compare-and-set and with a message id. */
async function publishFor(run: string, append: Append): Promise<void> {
  const latencies: number[] = [];
  const until = performance.now() + seconds * 1000;
  const began = performance.now();
  const cpu = process.cpuUsage();
  const converse = async (index: number) => {
    const subject = stream.subjectOf("room", { id: `${run.replaceAll(/\W+/g, "-")}-${index}` });
    let head = 0;
    for (let n = 0; performance.now() < until; n++) {
      const sent = performance.now();
      head = await append(subject, head, `${run.replaceAll(/\W+/g, "-")}:${index}:${n}`);
      latencies.push(performance.now() - sent);
    }
  };
  await Promise.all(Array.from({ length: CONVERSATIONS }, (_, index) => converse(index)));
  report(run.replace(/-\d+$/, ""), latencies.length, performance.now() - began, cpu, latencies);
}

async function consumeAll(bus: Bus, name: string, lanes: number, maxBatch: number): Promise<void> {
  await bus.ensureConsumer(declaration, { name, ackWaitMs: 30_000, maxAckPending: 4000, maxDeliver: -1 });
  const total = (await bus.bySubjectFrom("BENCH", "bench.>", 1, 1)).length === 0 ? 0 : await lagOf(bus, name);
  const { promise, resolve } = Promise.withResolvers<void>();
  let handled = 0;
  let batches = 0;
  const began = performance.now();
  const cpu = process.cpuUsage();
  const consumption = await bus.consume({
    stream: "BENCH",
    consumer: name,
    lanes,
    laneOf: ({ subject }) => Number(subject.split(".")[1]) % lanes,
    maxBatch,
    maxInFlight: 2000,
    handle: async (batch) => {
      handled += batch.length;
      batches++;
      if (handled >= total) resolve();
    },
  });
  await promise;
  report(
    `consume, ${lanes} lanes × ${maxBatch} (${(handled / batches).toFixed(1)} a batch)`,
    handled,
    performance.now() - began,
    cpu,
  );
  await consumption.stop();
}

async function lagOf(bus: Bus, consumer: string): Promise<number> {
  const never = { lanes: 1, laneOf: () => 0, maxBatch: 1, maxInFlight: 0, handle: async () => {} };
  const idle = await bus.consume({ stream: "BENCH", consumer, ...never });
  const lag = await idle.lag();
  await idle.stop();
  return lag;
}

function report(what: string, count: number, ms: number, cpu: NodeJS.CpuUsage, latencies: number[] = []): void {
  const { user, system } = process.cpuUsage(cpu);
  const sorted = latencies.toSorted((a, b) => a - b);
  const at = (share: number) => (sorted[Math.floor(sorted.length * share)] ?? 0).toFixed(1);
  const latency = sorted.length === 0 ? "" : `  p50 ${at(0.5)} ms  p99 ${at(0.99)} ms`;
  const rate = Math.round((count / ms) * 1000);
  const perMessage = ((user + system) / count).toFixed(1);
  process.stdout.write(`${what.padEnd(44)} ${String(rate).padStart(7)}/s  ${perMessage} µs CPU each${latency}\n`);
}

function bare(nc: NatsConnection): Append {
  const js = jetstream(nc);
  return async (subject, head, msgID) => {
    const expect = { streamName: "BENCH", lastSubjectSequence: head };
    return (await js.publish(subject, payload, { msgID, expect, timeout: 5000 })).seq;
  };
}

function throughBus(bus: Bus): Append {
  return async (subject, head, messageId) => {
    const options = { expectStream: "BENCH", messageId, expectLastSubjectSequence: head, timeoutMs: 5000 };
    return (await bus.publish(subject, payload, options)).sequence;
  };
}

const servers = await startServers({ nats: true });
try {
  const log = pino({ level: "warn" });
  const onClosed = (error: Error) => log.error({ err: error }, "closed");
  const bus = await connectBus({ url: servers.natsUrl, name: "bench", log, onClosed });
  const nc = await connect({ servers: servers.natsUrl });
  const lean = await connect({ servers: servers.natsUrl, noAsyncTraces: true });
  await bus.ensureStream(declaration);
  await bus.ensureStream(DeadLetterSchema, { maxBytes: 1_048_576 });
  for (let round = 0; round < ROUNDS; round++) {
    await publishFor(`js.publish-${round}`, bare(nc));
    await publishFor(`js.publish, noAsyncTraces-${round}`, bare(lean));
    await publishFor(`bus.publish-${round}`, throughBus(bus));
  }
  await consumeAll(bus, "narrow", 64, 64);
  await consumeAll(bus, "wide", 4, 500);
  await nc.close();
  await lean.close();
  await bus.close();
} finally {
  await servers.stop();
}
