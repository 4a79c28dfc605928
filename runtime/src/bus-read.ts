import { JetStreamApiCodes, JetStreamApiError, type JetStreamManager, type StoredMsg } from "@nats-io/jetstream";
import { createInbox, type Msg, type MsgHdrs, type Subscription } from "@nats-io/transport-node";
import type { Link } from "./bus-link.ts";
import type { ReadOptions, StoredMessage, StreamPosition } from "./bus-types.ts";
import { shared } from "./fail.ts";

const BATCH_TIMEOUT_MS = 5000;
const BATCH_MESSAGES = 1000;
const BATCH_BYTES = 8 * 1024 * 1024;

/** The last message of a subject, or the one at a sequence. */
export async function readOne(
  jsm: JetStreamManager,
  stream: string,
  query: { last_by_subj: string } | { seq: number },
  options: ReadOptions,
): Promise<StoredMessage | undefined> {
  try {
    const api = options.leader === true ? jsm.streams : jsm.direct;
    const found = await api.getMessage(stream, query);
    return found === null ? undefined : storedMessage(found);
  } catch (error) {
    throw shared.unavailable(`stream ${stream} can't be read`, error);
  }
}

/** Where a stream ends, as its leader knows it. */
export async function positionOf(jsm: JetStreamManager, stream: string): Promise<StreamPosition> {
  try {
    const { created, state } = await jsm.streams.info(stream);
    return { lastSequence: state.last_seq, createdMs: Date.parse(String(created)) };
  } catch (error) {
    throw shared.unavailable(`stream ${stream} can't be read`, error);
  }
}

const NOT_THERE: ReadonlySet<number> = new Set([JetStreamApiCodes.ConsumerNotFound, JetStreamApiCodes.StreamNotFound]);

/** Up to where a consumer has acknowledged everything. */
export async function ackFloorOf(jsm: JetStreamManager, stream: string, consumer: string): Promise<number | undefined> {
  try {
    return (await jsm.consumers.info(stream, consumer)).ack_floor.stream_seq;
  } catch (error) {
    if (error instanceof JetStreamApiError && NOT_THERE.has(error.code)) return undefined;
    throw shared.unavailable(`consumer ${consumer} of ${stream} can't be read`, error);
  }
}

/**
 * Reads a subject from a sequence on. Done here, as the driver's own batch read leaves its subscription open for 5 s.
 */
export async function readFrom(
  link: Link,
  stream: string,
  subject: string,
  startSequence: number,
  limit: number,
): Promise<StoredMessage[]> {
  const found: StoredMessage[] = [];
  let next = Math.max(1, startSequence);
  while (found.length < limit) {
    const batch = Math.min(limit - found.length, BATCH_MESSAGES);
    const query = { seq: next, next_by_subj: subject, batch, max_bytes: BATCH_BYTES };
    const part = await readBatch(link, stream, JSON.stringify(query));
    found.push(...part.messages);
    const last = part.messages.at(-1);
    if (last === undefined || part.pending === 0) break;
    next = last.sequence + 1;
  }
  return found;
}

/** One answer to a batched direct get. */
export interface Part {
  readonly messages: StoredMessage[];
  /** How many more there are. */
  readonly pending: number;
  /** The last stream sequence that the answering server had; 0 where it doesn't say. */
  readonly upTo: number;
}

/** Sends one batched direct get and waits for all of its messages. */
export async function readBatch(link: Link, stream: string, query: string): Promise<Part> {
  const inbox = createInbox();
  const messages: StoredMessage[] = [];
  const { promise, resolve, reject } = Promise.withResolvers<Part>();
  const fail = (cause: unknown) => reject(shared.unavailable(`stream ${stream} can't be read`, cause));
  const take = (error: Error | null, { headers, data }: Msg) => {
    if (error !== null || headers === undefined) fail(error ?? new Error("an answer without headers"));
    else if (headers.code === 0) messages.push(directMessage(headers, data));
    else if (headers.code === 204) resolve(partOf(messages, headers));
    else if (headers.code === 404) resolve({ messages, pending: 0, upTo: 0 });
    else fail(new Error(`status ${headers.code} ${headers.description}`));
  };
  const timer = setTimeout(() => fail(new Error(`no answer in ${BATCH_TIMEOUT_MS} ms`)), BATCH_TIMEOUT_MS);
  const unfollow = link.onChange(() => fail(new Error("connection lost")));
  let subscription: Subscription | undefined;
  try {
    subscription = link.nc.subscribe(inbox, { callback: take });
    link.nc.publish(`$JS.API.DIRECT.GET.${stream}`, query, { reply: inbox });
  } catch (error) {
    fail(error);
  }
  return await promise.finally(() => {
    clearTimeout(timer);
    unfollow();
    subscription?.unsubscribe();
  });
}

function partOf(messages: StoredMessage[], headers: MsgHdrs): Part {
  const upTo = Number(headers.get("Nats-UpTo-Sequence"));
  return { messages, pending: Number(headers.get("Nats-Num-Pending")), upTo };
}

function storedMessage(found: StoredMsg): StoredMessage {
  return fromHeaders(found.seq, found.subject, found.data, found.time, found.header);
}

function directMessage(headers: MsgHdrs, data: Uint8Array): StoredMessage {
  const time = new Date(headers.last("Nats-Time-Stamp"));
  return fromHeaders(Number(headers.last("Nats-Sequence")), headers.last("Nats-Subject"), data, time, headers);
}

function fromHeaders(sequence: number, subject: string, data: Uint8Array, time: Date, headers: MsgHdrs): StoredMessage {
  const header = (name: string) => headerOf(headers, name);
  return {
    sequence,
    subject,
    data,
    time,
    messageId: header("Nats-Msg-Id"),
    traceparent: header("traceparent") ?? "",
    header,
  };
}

/** A header's first value; undefined when there is none. */
export function headerOf(headers: MsgHdrs | undefined, name: string): string | undefined {
  const value = headers?.get(name);
  return value === undefined || value === "" ? undefined : value;
}
