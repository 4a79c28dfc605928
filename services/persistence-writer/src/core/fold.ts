import { toBinary } from "@bufbuild/protobuf";
import { timestampDate } from "@bufbuild/protobuf/wkt";
import { ContentSchema } from "@oceanchat/gen/oceanchat/records/v1/content_pb";
import type {
  ConversationSettingsBody,
  EditBody,
  Record as LogRecord,
  ReactionBody,
} from "@oceanchat/gen/oceanchat/records/v1/record_pb";
import type {
  AppendKey,
  Changes,
  Mention,
  MessageChange,
  Reaction,
  ReadCursor,
  Setting,
  SettingsChange,
} from "../ports.ts";
import type { WritableEntry } from "./entry.ts";

/** Messages are found by their `client_message_id`; a repeated reaction or read cursor changes nothing. */
const KEYLESS: ReadonlySet<string | undefined> = new Set(["message", "reaction", "readCursor"]);

/**
 * What a batch changes of other things than records, each once: of several changes of the same thing only the one that
 * wins is left. The store compares seqs again, so batches may come in any order and more than once.
 */
export function changesOf(entries: readonly WritableEntry[]): Changes {
  const messages = new Map<string, MessageChange>();
  const reactions = new Map<string, Reaction>();
  const readCursors = new Map<string, ReadCursor>();
  const settings = new Map<string, SettingsChange>();
  for (const { record } of entries) {
    const { body, conversationId } = record;
    switch (body.case) {
      case "edit":
      case "recall":
        changeMessage(messages, record, body.value.targetSeq, body.case === "edit" ? body.value : undefined);
        break;
      case "reaction":
        react(reactions, record, body.value);
        break;
      case "readCursor":
        moveCursor(readCursors, conversationId, body.value);
        break;
      case "conversationSettings":
        set(settings, record, body.value);
        break;
    }
  }
  return {
    messages: [...messages.values()],
    reactions: [...reactions.values()],
    readCursors: [...readCursors.values()],
    settings: [...settings.values()],
    mentions: entries.flatMap(mentionsOf),
    appendKeys: entries.flatMap(appendKeyOf),
  };
}

function changeMessage(
  messages: Map<string, MessageChange>,
  { conversationId, seq, acceptedTime }: LogRecord,
  targetSeq: bigint,
  edit: EditBody | undefined,
): void {
  const key = `${conversationId}:${targetSeq}`;
  const known = messages.get(key) ?? { conversationId, seq: targetSeq, edit: undefined, recallSeq: undefined };
  if (edit === undefined) {
    messages.set(key, { ...known, recallSeq: later(known.recallSeq, seq) });
  } else if (edit.content !== undefined && acceptedTime !== undefined && (known.edit?.seq ?? 0n) < seq) {
    const time = timestampDate(acceptedTime);
    messages.set(key, {
      ...known,
      edit: { seq, time, content: toBinary(ContentSchema, edit.content), flags: edit.flags },
    });
  }
}

function react(
  reactions: Map<string, Reaction>,
  { conversationId, seq, senderUserId: userId }: LogRecord,
  { targetSeq, emoji, removed }: ReactionBody,
): void {
  const key = `${conversationId}:${targetSeq}:${emoji}:${userId}`;
  const known = reactions.get(key);
  if (known === undefined || known.seq < seq)
    reactions.set(key, { conversationId, targetSeq, emoji, userId, seq, removed });
}

function moveCursor(
  cursors: Map<string, ReadCursor>,
  logId: string,
  { conversationId, seq }: { readonly conversationId: string; readonly seq: bigint },
): void {
  const userId = ownerOf(logId);
  if (userId === undefined || conversationId === "") return;
  const key = `${userId}:${conversationId}`;
  cursors.set(key, { userId, conversationId, readSeq: later(cursors.get(key)?.readSeq, seq) });
}

function set(
  settings: Map<string, SettingsChange>,
  { conversationId: logId, seq }: LogRecord,
  { conversationId, pinned, mutedUntil }: ConversationSettingsBody,
): void {
  const userId = ownerOf(logId);
  if (userId === undefined || conversationId === "") return;
  if (pinned === undefined && mutedUntil === undefined) return;
  const key = `${userId}:${conversationId}`;
  const known = settings.get(key);
  settings.set(key, {
    userId,
    conversationId,
    pinned: newer(known?.pinned, seq, pinned),
    mutedUntil: newer(known?.mutedUntil, seq, mutedUntil && timestampDate(mutedUntil)),
  });
}

const mentionsOf = ({ row: { conversationId, seq, mentions } }: WritableEntry): Mention[] =>
  mentions.map((userId) => ({ userId, conversationId, seq }));

function appendKeyOf({ row, record, messageId }: WritableEntry): AppendKey[] {
  if (messageId === undefined || KEYLESS.has(record.body.case)) return [];
  const { recordId, conversationId, seq, acceptedTime } = row;
  return [{ messageId, recordId, conversationId, seq, acceptedTime }];
}

/** Whose log it is: read cursors and settings count only in their user's own, `u_<user_id>`. */
const ownerOf = (logId: string): string | undefined => (logId.startsWith("u_") ? logId.slice("u_".length) : undefined);

function newer<T>(known: Setting<T> | undefined, seq: bigint, value: T | undefined): Setting<T> | undefined {
  return value === undefined || (known !== undefined && known.seq > seq) ? known : { seq, value };
}

function later(known: bigint | undefined, seq: bigint): bigint {
  return known === undefined || known < seq ? seq : known;
}
