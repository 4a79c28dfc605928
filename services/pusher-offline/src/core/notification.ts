import type { SendTask } from "@oceanchat/gen/oceanchat/push/v1/tasks_pb";
import type { Content } from "@oceanchat/gen/oceanchat/records/v1/content_pb";
import type { PushNotification } from "../ports.ts";

/** A notification that did not arrive for so long says nothing new any more; the stream forgets it then, too. */
export const WORTH_MS = 24 * 3_600_000;
/** What a phone shows of a text; a provider's adapter shortens further where it must. */
const PREVIEW_CHARACTERS = 240;

/** What to show of a message. */
export function previewOf(content: Content | undefined): string {
  const kind = content?.kind;
  switch (kind?.case) {
    case "text":
      return shorten(kind.value.text);
    case "image":
      return kind.value.caption ? shorten(kind.value.caption) : "Photo";
    case "video":
      return kind.value.caption ? shorten(kind.value.caption) : "Video";
    case "audio":
      return "Voice message";
    case "file":
      return kind.value.fileName ? shorten(kind.value.fileName) : "File";
    case "location":
      return kind.value.name === "" ? "Location" : shorten(kind.value.name);
    case "card":
      return kind.value.title === "" ? "Contact" : shorten(kind.value.title);
    default:
      return "New message";
  }
}

/** By characters as people count them, so that no emoji is cut in two. */
function shorten(text: string): string {
  const characters = [...text.slice(0, 4 * PREVIEW_CHARACTERS)];
  return characters.length <= PREVIEW_CHARACTERS ? text : `${characters.slice(0, PREVIEW_CHARACTERS - 1).join("")}…`;
}

/** The notification that a task asks for. */
export function notificationOf(task: SendTask, nowMs: number): PushNotification {
  return {
    recordId: task.recordId,
    conversationId: task.conversationId,
    userId: task.userId,
    title: task.title,
    body: task.body,
    badge: undefined,
    collapseId: task.recordId,
    data: { seq: task.seq.toString() },
    expiresAtMs: nowMs + WORTH_MS,
    silent: false,
  };
}
