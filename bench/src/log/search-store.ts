import { create, toBinary } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { RecordSchema } from "@oceanchat/gen/oceanchat/records/v1/record_pb";
import { shortKeyOf } from "@oceanchat/runtime/short-key";
import { indexTokensOf, wordsOf } from "@oceanchat/runtime/words";
import type { Collection, Db, Document } from "mongodb";

const START_MS = Date.UTC(2026, 0, 1);
const BATCH = 1_000;
const VOCABULARY = 20_000;
const WORDS_PER_MESSAGE = 12;

type Row = Document & { _id: string };

const uuid = (n: number): string => `00000000-0000-7000-8000-${String(n).padStart(12, "0")}`;
/** Who searches. */
export const alice = uuid(0);
/** One of her conversations. */
export const conversationAt = (n: number): string => `d_${alice}_${uuid(n + 1)}`;

/** The word of a rank, the most frequent first; no two begin alike but by chance. */
export const wordAt = (rank: number): string =>
  `${((rank * 7919 + 104_729) % 1_679_616).toString(36).padStart(4, "q")}er`;

/** Ranks as in a language: the n-th word 1/n as often as the first. */
function rankOf(random: number): number {
  return Math.min(VOCABULARY, Math.floor(VOCABULARY ** random)) - 1;
}

/** The text of a message, the same in each run. */
export function textOf(message: number): string {
  let state = (message + 1) * 48_271;
  const next = () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
  next();
  return Array.from({ length: WORDS_PER_MESSAGE }, () => wordAt(rankOf(next()))).join(" ");
}

/** What filling has cost. */
export interface FillCost {
  /** This process' time for cutting texts into words, per message. */
  readonly cutMicros: number;
  readonly tokensPerMessage: number;
  readonly recordSeconds: number;
  readonly entrySeconds: number;
}

/**
 * Puts messages into the store, spread evenly over conversations, with their search entries, as the writer does. `between` is
 * called when the records are there and the entries are not.
 */
export async function fillStore(
  db: Db,
  messages: number,
  conversations: number,
  between: () => Promise<void>,
): Promise<FillCost> {
  const records = db.collection<Row>("records");
  const entries = db.collection<Row>("search_entries");
  await records.createIndexes([{ name: "place", key: { conversationId: 1, seq: 1 }, unique: true }]);
  await entries.createIndexes([{ name: "words", key: { conversationKey: 1, tokens: 1, acceptedTime: 1, seq: 1 } }]);
  const place = (message: number) => ({
    conversationId: conversationAt(message % conversations),
    seq: BigInt(Math.floor(message / conversations) + 1),
    senderUserId: message % 3 === 0 ? alice : uuid((message % conversations) + 1),
    acceptedTime: new Date(START_MS + message * 1000),
  });
  const recordSeconds = await fill(records, messages, (message) => recordRow(message, place(message)));
  await fillLists(db, messages, conversations);
  await between();
  let cutMs = 0;
  let tokenCount = 0;
  const entrySeconds = await fill(entries, messages, (message) => {
    const at = place(message);
    const text = textOf(message);
    const begun = performance.now();
    const words = wordsOf([text], 128);
    const tokens = indexTokensOf(words);
    cutMs += performance.now() - begun;
    tokenCount += tokens.length;
    const conversationKey = shortKeyOf(at.conversationId);
    return { _id: `${at.conversationId}:${at.seq}`, ...at, conversationKey, tokens, words, contentSeq: at.seq };
  });
  const cutMicros = Math.round((cutMs * 10_000) / messages) / 10;
  return { cutMicros, tokensPerMessage: tokenCount / messages, recordSeconds, entrySeconds };
}

async function fill(to: Collection<Row>, messages: number, row: (message: number) => Row): Promise<number> {
  const begun = performance.now();
  for (let first = 0; first < messages; first += BATCH) {
    const rows = Array.from({ length: Math.min(BATCH, messages - first) }, (_, n) => row(first + n));
    await to.insertMany(rows, { ordered: false });
  }
  return Math.round((performance.now() - begun) / 100) / 10;
}

function recordRow(
  message: number,
  at: { conversationId: string; seq: bigint; senderUserId: string; acceptedTime: Date },
) {
  const recordId = uuid(1_000_000 + message);
  const record = create(RecordSchema, {
    conversationId: at.conversationId,
    seq: at.seq,
    recordId,
    senderUserId: at.senderUserId,
    senderDeviceId: "laptop",
    acceptedTime: timestampFromMs(at.acceptedTime.getTime()),
    body: { case: "message", value: { content: { kind: { case: "text", value: { text: textOf(message) } } } } },
  });
  return {
    _id: recordId,
    ...at,
    recordId,
    kind: "message",
    streamSequence: 0n,
    record: toBinary(RecordSchema, record),
  };
}

async function fillLists(db: Db, messages: number, conversations: number): Promise<void> {
  const all = Array.from({ length: conversations }, (_, n) => {
    const last = Math.floor((messages - 1 - n) / conversations) * conversations + n;
    const headSeq = BigInt(Math.floor(last / conversations) + 1);
    return { conversationId: conversationAt(n), headSeq, lastTime: new Date(START_MS + last * 1000) };
  });
  await db.collection<Row>("conversation_heads").insertMany(
    all.map(({ conversationId, headSeq, lastTime }) => ({
      _id: conversationId,
      headSeq,
      lastTime,
      streamSequence: 0n,
    })),
  );
  const lists = db.collection<Row>("user_conversations");
  await lists.createIndexes([{ name: "list", key: { userId: 1, lastTime: -1 } }]);
  await lists.insertMany(
    all.map(({ conversationId, lastTime }) => ({
      _id: `${alice}:${conversationId}`,
      userId: alice,
      conversationId,
      lastTime,
    })),
  );
}
