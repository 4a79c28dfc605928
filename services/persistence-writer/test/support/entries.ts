import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { type Content, ContentSchema } from "@oceanchat/gen/oceanchat/records/v1/content_pb";
import { type LogEntry, LogEntrySchema } from "@oceanchat/gen/oceanchat/records/v1/log_pb";
import { RecordSchema } from "@oceanchat/gen/oceanchat/records/v1/record_pb";

/** A UUID that is told by a number. */
export const id = (n: number): string => `00000000-0000-7000-8000-${String(n).padStart(12, "0")}`;

export const ALICE = id(1);
export const BOB = id(2);
export const DIRECT = `d_${ALICE}_${BOB}`;
export const GROUP_ID = id(9);
export const GROUP = `g_${GROUP_ID}`;
export const T0 = Date.UTC(2026, 0, 1);

type RecordInit = Exclude<MessageInitShape<typeof RecordSchema>, { $typeName: string }>;

/** A message of Alice's in her direct conversation with Bob; `record` changes any field. */
export function entry(seq: number, recordId: number, record: RecordInit = {}): LogEntry {
  const conversationId = record.conversationId ?? DIRECT;
  const clientMessageId = id(1_000_000 + recordId);
  return create(LogEntrySchema, {
    record: create(RecordSchema, {
      conversationId,
      seq: BigInt(seq),
      recordId: id(recordId),
      senderUserId: ALICE,
      senderDeviceId: "phone",
      acceptedTime: timestampFromMs(T0 + seq * 1000),
      body: {
        case: "message",
        value: { clientMessageId, content: { kind: { case: "text", value: { text: `message ${seq}` } } } },
      },
      ...record,
    }),
    audience: conversationId.startsWith("d_")
      ? { case: "direct", value: { userIds: conversationId.split("_").slice(1) } }
      : { case: "groupId", value: GROUP_ID },
  });
}

export const contentOf = (text: string): Content => create(ContentSchema, { kind: { case: "text", value: { text } } });

export const edit = (target: number, text: string) => ({
  body: { case: "edit" as const, value: { targetSeq: BigInt(target), content: contentOf(text), flags: [text] } },
});

export const recall = (target: number) => ({
  body: { case: "recall" as const, value: { targetSeq: BigInt(target) } },
});

export const reaction = (target: number, emoji: string, removed = false) => ({
  body: { case: "reaction" as const, value: { targetSeq: BigInt(target), emoji, removed } },
});

/** In the user's own log: he has read the direct conversation up to there. */
export const readCursor = (userId: string, seq: number) => ({
  conversationId: `u_${userId}`,
  senderUserId: userId,
  body: { case: "readCursor" as const, value: { conversationId: DIRECT, seq: BigInt(seq) } },
});

/** In the user's own log: settings of the direct conversation. */
export const settings = (userId: string, value: { readonly pinned?: boolean; readonly mutedUntilMs?: number }) => ({
  conversationId: `u_${userId}`,
  senderUserId: userId,
  body: {
    case: "conversationSettings" as const,
    value: {
      conversationId: DIRECT,
      ...(value.pinned === undefined ? {} : { pinned: value.pinned }),
      ...(value.mutedUntilMs === undefined ? {} : { mutedUntil: timestampFromMs(value.mutedUntilMs) }),
    },
  },
});

/** A message that names users, or everybody. */
export const mentioning = (recordId: number, mentions: readonly string[], mentionsAll = false) => ({
  body: {
    case: "message" as const,
    value: { clientMessageId: id(1_000_000 + recordId), mentions: [...mentions], mentionsAll },
  },
});
