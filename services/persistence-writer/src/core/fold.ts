import { toBinary } from "@bufbuild/protobuf";
import { timestampDate } from "@bufbuild/protobuf/wkt";
import { ContentSchema } from "@oceanchat/gen/oceanchat/records/v1/content_pb";
import type { EditBody, Record as LogRecord } from "@oceanchat/gen/oceanchat/records/v1/record_pb";
import type { Changes, MessageChange, Reaction, ReadCursor } from "../ports.ts";

/**
 * What a batch changes of messages, reactions and read cursors, each once: of several changes of the same thing only the
 * one that wins is left. The store compares seqs again, so batches may come in any order and more than once.
 */
export function changesOf(records: readonly LogRecord[]): Changes {
  const messages = new Map<string, MessageChange>();
  const reactions = new Map<string, Reaction>();
  const readCursors = new Map<string, ReadCursor>();
  for (const record of records) {
    const { body, conversationId } = record;
    switch (body.case) {
      case "edit":
      case "recall":
        changeMessage(messages, record, body.value.targetSeq, body.case === "edit" ? body.value : undefined);
        break;
      case "reaction": {
        const { targetSeq, emoji, removed } = body.value;
        const { seq, senderUserId: userId } = record;
        const key = `${conversationId}:${targetSeq}:${emoji}:${userId}`;
        const known = reactions.get(key);
        if (known === undefined || known.seq < seq)
          reactions.set(key, { conversationId, targetSeq, emoji, userId, seq, removed });
        break;
      }
      case "readCursor":
        moveCursor(readCursors, conversationId, body.value);
        break;
    }
  }
  return {
    messages: [...messages.values()],
    reactions: [...reactions.values()],
    readCursors: [...readCursors.values()],
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
    messages.set(key, { ...known, edit: { seq, time, content: toBinary(ContentSchema, edit.content) } });
  }
}

/** Read cursors lie in their user's own log, `u_<user_id>`. */
function moveCursor(
  cursors: Map<string, ReadCursor>,
  logId: string,
  { conversationId, seq }: { readonly conversationId: string; readonly seq: bigint },
): void {
  if (!logId.startsWith("u_") || conversationId === "") return;
  const userId = logId.slice("u_".length);
  const key = `${userId}:${conversationId}`;
  cursors.set(key, { userId, conversationId, readSeq: later(cursors.get(key)?.readSeq, seq) });
}

function later(known: bigint | undefined, seq: bigint): bigint {
  return known === undefined || known < seq ? seq : known;
}
