import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { type LogEntry, LogEntrySchema } from "@oceanchat/gen/oceanchat/records/v1/log_pb";

/** A UUID with that number. */
export const uuid = (n: number) => `00000000-0000-7000-8000-${String(n).padStart(12, "0")}`;

/** The user who writes in the n-th conversation; in a direct one the other is the next. */
export const writerOf = (conversation: number) => uuid(2 * conversation + 1);

/** The n-th conversation: every second one is direct, the others are groups'. */
export function logIdOf(conversation: number): string {
  return conversation % 2 === 0
    ? `d_${writerOf(conversation)}_${uuid(2 * conversation + 2)}`
    : `g_${uuid(conversation)}`;
}

/** A text of that many bytes with that number in it. */
export const textOf = (n: number, bytes: number) => `${n} `.padEnd(bytes, "lorem ipsum ");

/** The n-th record of all, the seq-th of its conversation: a text, as message would append it. */
export function textEntry(n: number, conversation: number, seq: number, text: string): LogEntry {
  const conversationId = logIdOf(conversation);
  const direct = conversationId.startsWith("d_");
  const kind = { case: "text", value: { text } } as const;
  return create(LogEntrySchema, {
    record: {
      conversationId,
      seq: BigInt(seq),
      recordId: uuid(n),
      senderUserId: writerOf(conversation),
      senderDeviceId: "laptop",
      acceptedTime: timestampFromMs(Date.now()),
      body: { case: "message", value: { clientMessageId: uuid(1_000_000_000 + n), content: { kind } } },
    },
    audience: direct
      ? { case: "direct", value: { userIds: conversationId.split("_").slice(1) } }
      : { case: "groupId", value: conversationId.slice("g_".length) },
  });
}
