import { fromBinary } from "@bufbuild/protobuf";
import { type LogEntry, LogEntrySchema } from "@oceanchat/gen/oceanchat/records/v1/log_pb";
import { type Record as LogRecord, RecordSchema } from "@oceanchat/gen/oceanchat/records/v1/record_pb";
import { streamOf } from "@oceanchat/runtime/streams";
import { type Entry, type Fact, type FinalState, groupBy, type View } from "../history.ts";
import { Memberships } from "../membership.ts";
import type { LogMesh } from "./log-mesh.ts";
import type { LogUser } from "./log-user.ts";

const REST_MS = 30_000;
const PAGE = 200;

/** A record of the log as it is. */
export interface Logged extends Entry {
  readonly record: LogRecord;
}

/** Everything there is of these conversations and of these users' own logs, once the store has caught up. */
export async function atRest(
  mesh: LogMesh,
  users: readonly LogUser[],
  conversationIds: readonly string[],
  waitMs = REST_MS,
): Promise<FinalState & { readonly stream: readonly Logged[] }> {
  const logIds = [...conversationIds, ...users.map(({ userId }) => `u_${userId}`)];
  const stream = (await Promise.all(logIds.map((logId) => loggedOf(mesh, logId)))).flat();
  const store = await storedOf(mesh, logIds, stream.length, waitMs);
  await untilWritten(mesh, waitMs);
  const memberships = new Memberships(stream);
  // One in which nobody has ever said anything doesn't exist.
  const begun = conversationIds.filter((each) => stream.some(({ conversationId }) => conversationId === each));
  const readers = begun.flatMap((conversationId) =>
    users
      .filter(({ userId }) => memberships.of(conversationId, userId).length > 0)
      .map((user) => ({ user, conversationId })),
  );
  const lists = await inTurns(readers, ({ user, conversationId }) => wholeList(user, conversationId));
  const members = readers.filter(({ user, conversationId }) => memberships.isMember(conversationId, user.userId));
  const told = await inTurns(members, async ({ user, conversationId }) => {
    const { conversation } = await user.query.getConversation({ conversationId });
    const { unreadCount: unread = 0, readSeq = 0n } = conversation ?? {};
    return { userId: user.userId, conversationId, unread, readSeq: Number(readSeq) };
  });
  return { stream, store, lists, told };
}

/** What the log holds of a conversation or of a user's own log. */
export async function loggedOf({ bus }: Pick<LogMesh, "bus">, logId: string): Promise<Logged[]> {
  const stream = streamOf(LogEntrySchema);
  const name = logId.startsWith("u_") ? "user" : "conversation";
  const subject = stream.subjectOf(name, { id: logId.startsWith("u_") ? logId.slice(2) : logId });
  const found = await bus.bySubjectFrom(stream.name, subject, 1, 1_000_000);
  return found.flatMap(({ data, messageId }) => {
    const { record }: LogEntry = fromBinary(LogEntrySchema, data);
    return record === undefined ? [] : [{ ...entryOf(record, messageId), record }];
  });
}

/** What the store holds of these logs, as soon as it is as much as expected; what it holds then, if it never is. */
export async function storedOf(
  { mongo }: Pick<LogMesh, "mongo">,
  logIds: readonly string[],
  expected: number,
  waitMs = REST_MS,
): Promise<Entry[]> {
  const records = mongo.db("oceanchat").collection<{ record: { buffer: Uint8Array } }>("records");
  const filter = { conversationId: { $in: [...logIds] } };
  for (const began = Date.now(); ; await new Promise((resolve) => setTimeout(resolve, 100))) {
    if (Date.now() - began < waitMs && (await records.countDocuments(filter)) < expected) continue;
    const found = await records.find(filter, { projection: { _id: 0, record: 1 } }).toArray();
    const entries = found.map(({ record }) => entryOf(fromBinary(RecordSchema, record.buffer), undefined));
    return [...groupBy(entries, ({ conversationId }) => conversationId).values()].flatMap((log) =>
      log.sort((a, b) => a.seq - b.seq),
    );
  }
}

/** Waits until the writers have finished with everything that is in the log: heads and lists are moved after the records. */
export async function untilWritten({ jsm }: Pick<LogMesh, "jsm">, waitMs = REST_MS): Promise<{ records: number }> {
  for (const began = Date.now(); ; await new Promise((resolve) => setTimeout(resolve, 100))) {
    const { num_pending, num_ack_pending, delivered } = await jsm.consumers.info("LOG", "persistence-writer");
    if (num_pending + num_ack_pending === 0) return { records: delivered.consumer_seq };
    if (Date.now() - began > waitMs) throw new Error(`${num_pending + num_ack_pending} records still wait`);
  }
}

/** Waits until what is in the log can be found: messages are indexed for search a second or so after they are stored. */
export async function untilIndexed({ jsm }: Pick<LogMesh, "jsm">, waitMs = REST_MS): Promise<void> {
  for (const began = Date.now(); ; await new Promise((resolve) => setTimeout(resolve, 100))) {
    const { num_pending, num_ack_pending } = await jsm.consumers.info("LOG", "search-index");
    if (num_pending + num_ack_pending === 0) return;
    if (Date.now() - began > waitMs) throw new Error(`${num_pending + num_ack_pending} records are not indexed yet`);
  }
}

/** What a user reads of the log as it is, page by page from the beginning. */
export async function wholeList({ userId, query }: LogUser, conversationId: string): Promise<View> {
  const began = performance.now();
  const records: View["records"][number][] = [];
  for (let afterSeq = 0n, more = true; more; ) {
    const page = await query.listRecords({ conversationId, afterSeq, limit: PAGE, raw: true });
    records.push(...page.records.map(({ seq, recordId }) => ({ seq: Number(seq), recordId })));
    more = page.hasMore;
    afterSeq = page.lastSeq;
  }
  return { userId, conversationId, via: "records", began, ended: performance.now(), records };
}

function entryOf(record: LogRecord, messageId: string | undefined): Entry {
  const { conversationId, seq, recordId, senderUserId } = record;
  return {
    conversationId,
    seq: Number(seq),
    recordId,
    senderUserId,
    fact: factOf(record),
    key: keyOf(record, messageId),
  };
}

/** An edit's key is only in the id that it was published with: `<user id>:<key>`. */
function keyOf({ body }: LogRecord, messageId: string | undefined): string | undefined {
  if (body.case === "message") return body.value.clientMessageId;
  return body.case === "edit" ? messageId?.split(":").at(-1) : undefined;
}

function factOf({ body }: LogRecord): Fact {
  switch (body.case) {
    case "message":
      return { kind: "message", text: textIn(body.value.content) };
    case "edit":
      return { kind: "edit", target: Number(body.value.targetSeq), text: textIn(body.value.content) };
    case "recall":
      return { kind: "recall", target: Number(body.value.targetSeq) };
    case "reaction": {
      const { targetSeq, emoji, removed } = body.value;
      return { kind: "reaction", target: Number(targetSeq), emoji, removed };
    }
    case "membership":
      return { kind: "membership", joined: body.value.joined, left: [...body.value.left, ...body.value.removed] };
    case "readCursor":
      return { kind: "read", conversationId: body.value.conversationId, seq: Number(body.value.seq) };
    default:
      return { kind: "other", name: body.case ?? "none" };
  }
}

/** The text of a content that is nothing else. */
export function textIn(content: { readonly kind: { case?: string | undefined; value?: unknown } } | undefined): string {
  if (content?.kind.case !== "text") return "";
  const value = content.kind.value;
  return typeof value === "object" && value !== null && "text" in value ? String(value.text) : "";
}

/** One after another: query is only one process. */
async function inTurns<T, R>(values: readonly T[], run: (value: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (const value of values) results.push(await run(value));
  return results;
}
