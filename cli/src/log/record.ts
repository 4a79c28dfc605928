import { fromBinary } from "@bufbuild/protobuf";
import { timestampDate } from "@bufbuild/protobuf/wkt";
import type { Content } from "@oceanchat/gen/oceanchat/records/v1/content_pb";
import { type Record as LogRecord, RecordSchema } from "@oceanchat/gen/oceanchat/records/v1/record_pb";

const MAX_TEXT = 80;

/** The record; undefined for bytes that are none. */
export function decoded(bytes: Uint8Array): LogRecord | undefined {
  try {
    return fromBinary(RecordSchema, bytes);
  } catch {
    return undefined;
  }
}

/** One line for people: seq, time, sender, kind and what it says, shortened. */
export function recordLine(record: LogRecord): string {
  const { seq, acceptedTime, senderUserId, body } = record;
  const time = acceptedTime === undefined ? "-" : timestampDate(acceptedTime).toISOString();
  const fields = [String(seq).padStart(6), time, senderUserId || "-", body.case ?? "unknown", summary(body)];
  return fields.join("  ").trimEnd();
}

function summary(body: LogRecord["body"]): string {
  switch (body.case) {
    case "message":
      return contentText(body.value.content);
    case "edit":
      return `${body.value.targetSeq}: ${contentText(body.value.content)}`;
    case "recall":
      return String(body.value.targetSeq);
    case "reaction":
      return printable(`${body.value.targetSeq}: ${body.value.removed ? "-" : "+"}${body.value.emoji}`);
    case "membership":
      return `+${body.value.joined.length} -${body.value.left.length + body.value.removed.length} version ${body.value.version}`;
    case "groupChange":
      return printable(body.value.name ?? body.value.announcement ?? Object.keys(body.value.settings).join(" "));
    case "friendRequest":
    case "friendship":
      return printable(`${body.value.state} ${body.value.userId}`);
    case "readCursor":
      return printable(`${body.value.conversationId} ${body.value.seq}`);
    case "conversationSettings":
      return printable(body.value.conversationId);
    case "sessionRevoked":
      return printable(body.value.sessionId);
    default:
      return "";
  }
}

function contentText(content: Content | undefined): string {
  const part = content?.kind;
  if (part?.case === "text") return printable(part.value.text);
  return part?.case === undefined ? "-" : `[${part.case}]`;
}

/** What people wrote must not reach a terminal as commands to it: without control and direction characters, and short. */
export function printable(text: string): string {
  const plain = text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, " ").trim();
  const characters = [...plain.slice(0, 4 * MAX_TEXT)];
  return characters.length <= MAX_TEXT ? plain : `${characters.slice(0, MAX_TEXT - 1).join("")}…`;
}
