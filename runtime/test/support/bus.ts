import type { DescMessage, MessageInitShape } from "@bufbuild/protobuf";
import { DeadLetterSchema } from "@oceanchat/gen/oceanchat/errors/v1/dead_letter_pb";
import { Retention, type Stream, type StreamSchema } from "@oceanchat/gen/oceanchat/options/v1/options_pb";
import type { TestServers } from "@oceanchat/infra/servers-for-tests";
import { type BusOptions, connectBus } from "@oceanchat/runtime/bus";
import { type Bus, type ConsumerSpec, PublishError, type PublishFailure } from "@oceanchat/runtime/bus-types";
import { type DeclaredStream, streamOf } from "@oceanchat/runtime/streams";
import { pino } from "pino";
import { declareStream } from "./declared-stream.ts";

/** Says nothing, unless a test is being looked at: `OCEANCHAT_TEST_LOG=debug`. */
export const testLog = pino({ level: process.env.OCEANCHAT_TEST_LOG ?? "silent" });

/** A bus that fails the process when its connection ends for good. */
export function openBus(url: string, options: Partial<BusOptions> = {}): Promise<Bus> {
  return connectBus({
    url,
    name: "test",
    log: testLog,
    onClosed: (error) => {
      throw error;
    },
    ...options,
  });
}

/** A stream of its own for a test: `<name>.<partition>.<id>`, 4 MiB. */
export function roomStream(
  name: string,
  more: Exclude<MessageInitShape<typeof StreamSchema>, Stream> = {},
): DescMessage {
  return declareStream({
    name,
    subjects: [{ name: "room", pattern: `${name}.{partition}.{id}` }],
    partitions: 4,
    retention: Retention.LIMITS,
    maxAgeSeconds: 3600,
    duplicateWindowSeconds: 60,
    maxMessageBytes: 65_536,
    maxBytes: 4n * 1024n * 1024n,
    ...more,
  });
}

export const consumerSpec: ConsumerSpec = { name: "worker", ackWaitMs: 30_000, maxAckPending: 1000, maxDeliver: -1 };

/** Makes a stream, where poison goes and a consumer. */
export async function prepare(bus: Bus, desc: DescMessage, spec: ConsumerSpec = consumerSpec): Promise<DeclaredStream> {
  await bus.ensureStream(desc);
  await bus.ensureStream(DeadLetterSchema, { maxBytes: 4 * 1024 * 1024 });
  await bus.ensureConsumer(desc, spec);
  return streamOf(desc);
}

/** Publishes `count` numbered messages to each of the rooms, room by room in turn. */
export async function publishNumbers(
  bus: Bus,
  stream: DeclaredStream,
  rooms: readonly string[],
  count: number,
  from = 0,
) {
  for (let n = from; n < from + count; n++) {
    await Promise.all(
      rooms.map((id) =>
        bus.publish(stream.subjectOf("room", { id }), textBytes(`${id} ${n}`), { expectStream: stream.name }),
      ),
    );
  }
}

/** What a publish failed with. */
export async function failureOf(publish: Promise<unknown>): Promise<PublishFailure | "stored"> {
  try {
    await publish;
    return "stored";
  } catch (error) {
    if (error instanceof PublishError) return error.kind;
    throw error;
  }
}

/** Stops the server's process; a busy machine takes a moment to stop all of its threads. SIGCONT lets it go on. */
export async function freezeNats(servers: TestServers, bus: Bus): Promise<void> {
  await bus.ensureStream(roomStream("PROBE"));
  await servers.kill("nats", "SIGSTOP");
  const options = { expectStream: "PROBE", timeoutMs: 100 };
  while ((await failureOf(bus.publish("PROBE.0.a", textBytes("?"), options))) === "stored");
}

export const textBytes = (text: string): Uint8Array => new TextEncoder().encode(text);
export const bytesText = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

/** Resolves when `condition` holds; it is looked at after every `look()`. Rejects after `timeoutMs`. */
export function waitFor(what: string, timeoutMs = 30_000) {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const timer = setTimeout(() => reject(new Error(`still waiting for ${what} after ${timeoutMs} ms`)), timeoutMs);
  const reached = () => {
    clearTimeout(timer);
    resolve();
  };
  return { promise, reached };
}
