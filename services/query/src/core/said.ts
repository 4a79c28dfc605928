import type { Content } from "@oceanchat/gen/oceanchat/records/v1/content_pb";
import { wordsOf } from "@oceanchat/runtime/words";

/** As many as persistence-writer indexes. */
const WORDS_OF_MESSAGE = 128;

/** The words that a message is found by, as persistence-writer indexes them. */
export const wordsSaid = (content: Content | undefined): string[] => wordsOf(textsOf(content), WORDS_OF_MESSAGE);

function textsOf(content: Content | undefined): string[] {
  const kind = content?.kind;
  switch (kind?.case) {
    case "text":
      return [kind.value.text];
    case "image":
    case "file":
    case "audio":
    case "video":
      return [kind.value.caption ?? "", kind.value.fileName ?? ""];
    case "location":
      return [kind.value.name, kind.value.address];
    case "card":
      return [kind.value.title];
    default:
      return [];
  }
}
