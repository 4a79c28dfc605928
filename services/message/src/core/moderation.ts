import { clone, create, equals } from "@bufbuild/protobuf";
import { type Content, ContentSchema } from "@oceanchat/gen/oceanchat/records/v1/content_pb";
import { type Record, RecordSchema } from "@oceanchat/gen/oceanchat/records/v1/record_pb";
import type { Log } from "./log.ts";
import { Folding } from "./words/folding.ts";
import { parseWordList } from "./words/word-list.ts";
import { SensitiveWords } from "./words.ts";

/** What became of a content. */
export interface Moderated {
  readonly content: Content;
  /** What was found: `sensitive`, `masked`. */
  readonly flags: string[];
  /** Whether it must not be said. */
  readonly rejected: boolean;
}

/** Looks for the words that an installation doesn't want to be said, in everything that people read. */
export class Moderation {
  #folding: Folding | undefined;
  #words: SensitiveWords | undefined;

  /** Replaces the list; returns how many rules it has. Throws when it can't be read: then the old one stays. */
  useList(text: string): number {
    const rules = parseWordList(text);
    // Its tables take a moment to make, and most installations have no list.
    this.#folding ??= new Folding();
    this.#words = new SensitiveWords(this.#folding, rules);
    return rules.length;
  }

  check(content: Content, log: Log): Moderated {
    const words = this.#words;
    if (words === undefined) return { content, flags: [], rejected: false };
    const groupId = log.kind === "group" ? log.groupId : undefined;
    const found = textsOf(content).map((text) => words.find(text, groupId));
    if (found.some(({ action }) => action === "reject")) return { content, flags: [], rejected: true };
    const masked = found.some(({ masked: text }, index) => text !== textsOf(content)[index]);
    const flags = [
      ...(found.some(({ action }) => action !== undefined) ? ["sensitive"] : []),
      ...(masked ? ["masked"] : []),
    ];
    const texts = found.map(({ masked: text }) => text);
    return { content: masked ? withTexts(content, texts) : content, flags, rejected: false };
  }
}

/**
 * Whether two records say the same, whatever list of words was in use when each was written: a stretch that one of them masks
 * counts as equal.
 */
export function saysTheSame(one: Record, other: Record): boolean {
  const [first, second] = [unflagged(one), unflagged(other)];
  const [a, b] = [contentOf(first), contentOf(second)];
  if (a === undefined || b === undefined) return equals(RecordSchema, first, second);
  setContent(first, maskedLike(a, b));
  setContent(second, maskedLike(b, a));
  return equals(RecordSchema, first, second);
}

function maskedLike(content: Content, other: Content): Content {
  const others = textsOf(other);
  return withTexts(
    content,
    textsOf(content).map((text, index) => maskedByBoth(text, others[index] ?? "")),
  );
}

/** The text with `*` where either has it, when the rest could be the same. */
function maskedByBoth(text: string, other: string): string {
  if (text.length !== other.length || text === other) return text;
  let masked = "";
  for (let index = 0; index < text.length; index++) masked += other[index] === "*" ? "*" : text[index];
  return masked;
}

function unflagged(record: Record): Record {
  const copy = clone(RecordSchema, record);
  if (copy.body.case === "message" || copy.body.case === "edit") copy.body.value.flags = [];
  return copy;
}

function contentOf({ body }: Record): Content | undefined {
  return body.case === "message" || body.case === "edit" ? body.value.content : undefined;
}

function setContent({ body }: Record, content: Content): void {
  if (body.case === "message" || body.case === "edit") body.value.content = content;
}

/** Everything in a content that people read, in a fixed order. What only an application understands isn't looked at. */
function textsOf({ kind }: Content): string[] {
  switch (kind.case) {
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

/** A copy with other texts: the request isn't ours to change. */
function withTexts(content: Content, [first = "", second = ""]: readonly string[]): Content {
  const { kind } = clone(ContentSchema, content);
  switch (kind.case) {
    case "text":
      kind.value.text = first;
      break;
    case "image":
    case "file":
    case "audio":
    case "video":
      if (kind.value.caption !== undefined) kind.value.caption = first;
      if (kind.value.fileName !== undefined) kind.value.fileName = second;
      break;
    case "location":
      kind.value.name = first;
      kind.value.address = second;
      break;
    case "card":
      kind.value.title = first;
      break;
    default:
      break;
  }
  return create(ContentSchema, { kind });
}
