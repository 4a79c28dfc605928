import { timestampDate } from "@bufbuild/protobuf/wkt";
import type { Content } from "@oceanchat/gen/oceanchat/records/v1/content_pb";
import type { Record as LogRecord } from "@oceanchat/gen/oceanchat/records/v1/record_pb";
import { wordsOf } from "@oceanchat/runtime/words";

/** Of a longer message the first words count. query knows the same limit. */
const WORDS_OF_MESSAGE = 128;

/** What records bring to the search entry of a message (`StoredSearchEntry` in proto). */
export interface SearchChange {
  readonly conversationId: string;
  /** The message. */
  readonly seq: bigint;
  /** The message itself; undefined when only an edit or a recall of it is known. */
  readonly message: { readonly senderUserId: string; readonly acceptedTime: Date } | undefined;
  /** The words of what it says newest, and in which record; undefined when only a recall is known. */
  readonly content: { readonly seq: bigint; readonly words: readonly string[] } | undefined;
  readonly recalled: boolean;
}

/** Where messages are found by their words. Every method may be repeated; every rejection means "unknown, try again". */
export interface SearchIndex {
  /** Applies changes. Only newer content replaces words, and what was recalled gets none, so that the order doesn't matter. */
  apply(changes: readonly SearchChange[]): Promise<void>;
}

/** What a batch changes, each message once. */
export function searchChangesOf(records: readonly LogRecord[]): SearchChange[] {
  const changes = new Map<string, SearchChange>();
  for (const record of records) {
    const { conversationId, seq, body } = record;
    if (body.case !== "message" && body.case !== "edit" && body.case !== "recall") continue;
    const target = body.case === "message" ? seq : body.value.targetSeq;
    const key = `${conversationId}:${target}`;
    const known = changes.get(key) ?? untouched(conversationId, target);
    changes.set(key, changed(known, record));
  }
  return [...changes.values()];
}

const untouched = (conversationId: string, seq: bigint): SearchChange => ({
  conversationId,
  seq,
  message: undefined,
  content: undefined,
  recalled: false,
});

function changed(known: SearchChange, { seq, body, senderUserId, acceptedTime }: LogRecord): SearchChange {
  if (body.case === "recall") return { ...known, recalled: true };
  if (body.case !== "message" && body.case !== "edit") return known;
  const isNewer = known.content === undefined || known.content.seq < seq;
  const words = isNewer ? wordsOf(textsOf(body.value.content), WORDS_OF_MESSAGE) : [];
  const content = isNewer ? { seq, words } : known.content;
  if (body.case === "edit" || acceptedTime === undefined) return { ...known, content };
  return { ...known, content, message: { senderUserId, acceptedTime: timestampDate(acceptedTime) } };
}

/** What people can read of a message, in the order in which it counts. query knows the same. */
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
