import type { Record as LogRecord } from "@oceanchat/gen/oceanchat/records/v1/record_pb";
import type { RecordStore, UserStretch } from "../ports.ts";
import type { KnownHead } from "./heads.ts";
import { type HistorySources, type Unwritten, unwrittenOf } from "./unwritten.ts";

/** Unread messages are counted up to this number; clients show 99+ or 999+ anyway. */
const UNREAD_COUNTED = 999;

/** Records of the archive that are read together. */
const ARCHIVED_AT_ONCE = 1000n;

/** What a user has not read. */
export interface Unread {
  readonly messages: number;
  /** Of those, the ones that mention him or everybody. */
  readonly mentions: number;
}

const NONE: Unread = { messages: 0, mentions: 0 };

/** Who has not read what: from one seq to another, both included. */
export interface UnreadQuery extends Omit<UserStretch, "limit"> {
  readonly head: KnownHead;
  /** False when the store certainly holds everything up to the head. */
  readonly ahead: boolean;
}

/**
 * Counts the messages of others that were not recalled, and of those the ones that mention the user: what is stored in the store,
 * the rest from the log.
 */
export async function unreadOf(sources: HistorySources, query: UnreadQuery): Promise<Unread> {
  const { conversationId, userId, fromSeq, toSeq, head, ahead } = query;
  if (fromSeq > toSeq) return NONE;
  if (fromSeq === head.seq && head.record !== undefined) return unreadIn(head.record, query);
  const rest: Pick<Unwritten, "afterSeq" | "records"> = ahead
    ? await unwrittenOf(sources, conversationId, head, counts)
    : { afterSeq: head.seq, records: [] };
  const whole: UserStretch = { conversationId, userId, fromSeq, toSeq, limit: UNREAD_COUNTED };
  const stored = { ...whole, toSeq: rest.afterSeq < toSeq ? rest.afterSeq : toSeq };
  const mayBeRecalled = ahead || head.stored?.lastRecord === undefined || head.stored.lastRecalledSeq >= fromSeq;
  const recalled = new Set([
    ...(mayBeRecalled ? await sources.store.recalledIn(whole) : []),
    ...rest.records.flatMap(({ body }) => (body.case === "recall" ? [body.value.targetSeq] : [])),
  ]);
  const archivedSeq = head.stored?.archivedSeq ?? 0n;
  const old = fromSeq > archivedSeq ? [] : await archivedUnread(sources.store, stored, archivedSeq, recalled);
  const recent = { ...stored, fromSeq: fromSeq > archivedSeq ? fromSeq : archivedSeq + 1n };
  const inStore = recent.fromSeq > recent.toSeq ? NONE : await storedUnread(sources.store, recent, recalled, query);
  const others = [...old, ...rest.records.filter((record) => isUnread(record, whole, rest.afterSeq, recalled))];
  return {
    messages: Math.min(UNREAD_COUNTED, inStore.messages + others.length),
    mentions: Math.min(UNREAD_COUNTED, inStore.mentions + others.filter((record) => mentions(record, userId)).length),
  };
}

/**
 * What lies in the archive is read and counted: it holds no fields to ask for. Records stay in the store for a while after they are
 * archived, so a mark that was read a moment ago is still right.
 */
async function archivedUnread(
  store: RecordStore,
  stretch: UserStretch,
  archivedSeq: bigint,
  recalled: ReadonlySet<bigint>,
): Promise<LogRecord[]> {
  const { conversationId, limit } = stretch;
  const last = archivedSeq < stretch.toSeq ? archivedSeq : stretch.toSeq;
  const unread: LogRecord[] = [];
  for (let fromSeq = stretch.fromSeq; fromSeq <= last && unread.length < limit; fromSeq += ARCHIVED_AT_ONCE) {
    const end = fromSeq + ARCHIVED_AT_ONCE - 1n;
    const records = await store.range(conversationId, fromSeq, end < last ? end : last);
    for (const { record } of records) if (isUnread(record, stretch, 0n, recalled)) unread.push(record);
  }
  return unread;
}

/** What of the log bears on unread counts. */
function counts({ body }: LogRecord): boolean {
  return body.case === "message" || body.case === "recall";
}

function isUnread(
  { seq, senderUserId, body }: LogRecord,
  { userId, fromSeq, toSeq }: UserStretch,
  afterSeq: bigint,
  recalled: ReadonlySet<bigint>,
): boolean {
  if (body.case !== "message" || senderUserId === userId || recalled.has(seq)) return false;
  return seq > afterSeq && seq >= fromSeq && seq <= toSeq;
}

/** Of the log's last record alone, at hand already: nothing came since that could have recalled it. */
function unreadIn(record: LogRecord, { conversationId, userId, fromSeq, toSeq }: UnreadQuery): Unread {
  const stretch = { conversationId, userId, fromSeq, toSeq, limit: UNREAD_COUNTED };
  if (!isUnread(record, stretch, 0n, new Set())) return NONE;
  return { messages: 1, mentions: mentions(record, userId) ? 1 : 0 };
}

function mentions({ body }: LogRecord, userId: string): boolean {
  return body.case === "message" && (body.value.mentionsAll || body.value.mentions.includes(userId));
}

async function storedUnread(
  store: RecordStore,
  stretch: UserStretch,
  recalled: ReadonlySet<bigint>,
  { head, ahead }: UnreadQuery,
): Promise<Unread> {
  const { conversationId, userId, fromSeq, toSeq } = stretch;
  const everybody = ahead || head.stored?.lastRecord === undefined || head.stored.lastMentionAllSeq >= fromSeq;
  const except = [...recalled].filter((seq) => seq >= fromSeq && seq <= toSeq);
  const [messages, named, toAll] = await Promise.all([
    store.countMessages(stretch, except),
    store.namedIn(stretch),
    everybody ? store.mentionsAllIn(stretch) : [],
  ]);
  const seqs = new Set([...named, ...toAll].filter((seq) => !recalled.has(seq)));
  if (messages === 0 || seqs.size === 0) return { messages, mentions: 0 };
  return { messages, mentions: Math.min(messages, await store.countOfOthers(conversationId, userId, [...seqs])) };
}
