import { setTimeout as sleep } from "node:timers/promises";
import {
  AckPolicy,
  type ConsumerConfig,
  DeliverPolicy,
  DiscardPolicy,
  JetStreamApiError,
  type JetStreamManager,
  RetentionPolicy,
  StorageType,
  type StreamConfig,
} from "@nats-io/jetstream";
import { errors } from "@nats-io/transport-node";
import { Retention } from "@oceanchat/gen/oceanchat/options/v1/options_pb";
import type { ConsumerSpec, StreamOverrides } from "./bus-types.ts";
import type { DeclaredStream } from "./streams.ts";

const NANOS_PER_SECOND = 1_000_000_000;
const PATIENCE_MS = 20_000;
const CLUSTER_CANNOT_HANDLE = 10009;
const STREAM_EXISTS = 10058;
const CONSUMER_EXISTS = new Set([10013, 10105, 10148]);

/** Makes the stream or updates it, then compares: a server silently ignores what it doesn't know. */
export async function ensureStream(
  jsm: JetStreamManager,
  stream: DeclaredStream,
  overrides: StreamOverrides,
): Promise<void> {
  const wanted = streamConfig(stream, overrides);
  const info = await createOrUpdate(
    () => jsm.streams.add(wanted),
    (code) => code === STREAM_EXISTS,
    () => jsm.streams.update(stream.name, wanted),
    async () =>
      `stream ${stream.name}: ${differences(wanted, (await jsm.streams.info(stream.name)).config).join(", ")}`,
  );
  refuseDifferences(`stream ${stream.name}`, wanted, info.config);
}

/** Makes the durable consumer or updates it, then compares. */
export async function ensureConsumer(jsm: JetStreamManager, stream: string, spec: ConsumerSpec): Promise<void> {
  const wanted = consumerConfig(spec);
  const info = await createOrUpdate(
    () => jsm.consumers.add(stream, wanted),
    (code) => CONSUMER_EXISTS.has(code),
    () => jsm.consumers.update(stream, spec.name, wanted),
    async () => {
      const { config } = await jsm.consumers.info(stream, spec.name);
      return `consumer ${spec.name} of ${stream}: ${differences(wanted, config).join(", ")}`;
    },
  );
  refuseDifferences(`consumer ${spec.name} of ${stream}`, wanted, info.config);
}

function streamConfig(stream: DeclaredStream, overrides: StreamOverrides) {
  const { retention, maxAgeSeconds, duplicateWindowSeconds, maxMessageBytes, maxBytes } = stream.declaration;
  return {
    name: stream.name,
    subjects: stream.subjects(),
    retention: retention === Retention.WORK_QUEUE ? RetentionPolicy.Workqueue : RetentionPolicy.Limits,
    max_age: maxAgeSeconds * NANOS_PER_SECOND,
    ...(duplicateWindowSeconds > 0 ? { duplicate_window: duplicateWindowSeconds * NANOS_PER_SECOND } : {}),
    max_msg_size: maxMessageBytes > 0 ? maxMessageBytes : -1,
    max_bytes: overrides.maxBytes ?? (maxBytes > 0n ? Number(maxBytes) : -1),
    max_msgs: -1,
    max_msgs_per_subject: -1,
    storage: StorageType.File,
    discard: DiscardPolicy.New,
    allow_direct: true,
    allow_atomic: true,
    num_replicas: overrides.replicas ?? 1,
  } satisfies Partial<StreamConfig>;
}

function consumerConfig(spec: ConsumerSpec) {
  return {
    name: spec.name,
    durable_name: spec.name,
    ack_policy: AckPolicy.Explicit,
    deliver_policy: DeliverPolicy.All,
    ack_wait: spec.ackWaitMs * 1_000_000,
    max_ack_pending: spec.maxAckPending,
    // Counted by whoever consumes: at its own limit the server leaves a message in the stream and tells nobody.
    max_deliver: -1,
    filter_subjects: [...(spec.filterSubjects ?? [])],
  } satisfies Partial<ConsumerConfig>;
}

async function createOrUpdate<T>(
  create: () => Promise<T>,
  exists: (code: number) => boolean,
  update: () => Promise<T>,
  describe: () => Promise<string>,
): Promise<T> {
  try {
    return await patiently(create);
  } catch (error) {
    if (!(error instanceof JetStreamApiError) || !exists(error.code)) throw error;
  }
  try {
    return await patiently(update);
  } catch (error) {
    if (!(error instanceof JetStreamApiError)) throw error;
    throw new Error(`${await describe()}: the server refuses the change: ${error.message}`, { cause: error });
  }
}

/** A server or cluster that is just starting doesn't answer yet, or says that it can't. */
async function patiently<T>(ask: () => Promise<T>): Promise<T> {
  const giveUpAt = performance.now() + PATIENCE_MS;
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (!isTransient(error) || performance.now() > giveUpAt) throw error;
      await sleep(500);
    }
  }
}

function isTransient(error: unknown): boolean {
  if (error instanceof JetStreamApiError) return error.status === 503 || error.code === CLUSTER_CANNOT_HANDLE;
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
  return cause instanceof errors.TimeoutError || cause instanceof errors.RequestError;
}

function refuseDifferences(what: string, wanted: object, actual: object): void {
  const found = differences(wanted, actual);
  if (found.length > 0) throw new Error(`${what} is not as it was asked for: ${found.join(", ")}`);
}

/** What the server has otherwise than it was asked for, in words. */
function differences(wanted: object, actual: object): string[] {
  const have = new Map<string, unknown>(Object.entries(actual));
  return Object.entries(wanted)
    .map(([key, value]) => [key, canonical(value), canonical(have.get(key))] as const)
    .filter(([, want, is]) => want !== is)
    .map(([key, want, is]) => `${key} is ${is}, wanted ${want}`);
}

/** Lists are sets here, and an empty one is the same as none. */
function canonical(value: unknown): string {
  if (value === undefined) return "none";
  if (!Array.isArray(value)) return String(value);
  return value.length === 0 ? "none" : value.map(String).toSorted().join(" ");
}
