import { clone } from "@bufbuild/protobuf";
import { type Content, ContentSchema, type TextContent } from "@oceanchat/gen/oceanchat/records/v1/content_pb";
import { shared } from "@oceanchat/runtime/fail";
import { errors } from "../errors.ts";
import { uuidOf } from "./log.ts";

/** Limits of what a message says. */
export interface ContentLimits {
  /** The longest text, in bytes of UTF-8. */
  readonly textBytes: number;
  /** How many different users a message may mention. */
  readonly mentions: number;
}

/** What a message says, checked, with the users that it names. */
export interface CheckedContent {
  readonly content: Content;
  /** Each once, in lower case, in the order of the text's entities. */
  readonly mentions: string[];
  readonly mentionsAll: boolean;
}

/** Checks what the rules in the contract can't say. */
export function checkContent(content: Content | undefined, limits: ContentLimits): CheckedContent {
  if (content?.kind.case === undefined) {
    throw shared.invalidFields([{ field: "content", description: "exactly one kind is required" }]);
  }
  if (content.kind.case !== "text") return { content, mentions: [], mentionsAll: false };
  const { text, entities } = content.kind.value;
  if (text.trim() === "") throw errors.emptyText();
  checkLength(text, limits.textBytes);
  if (entities.length === 0) return { content, mentions: [], mentionsAll: false };
  const mentions = new Set<string>();
  let mentionsAll = false;
  let canonical = true;
  for (const [index, { offset, length, kind }] of entities.entries()) {
    if (!covers(text, offset, length) || kind.case === undefined) throw errors.invalidEntity(index);
    if (kind.case === "mentionAll") mentionsAll = true;
    if (kind.case !== "mention") continue;
    const userId = uuidOf(`content.text.entities[${index}].mention.user_id`, kind.value.userId);
    if (userId !== kind.value.userId) canonical = false;
    mentions.add(userId);
  }
  if (mentions.size > limits.mentions) throw errors.tooManyMentions(limits.mentions);
  return { content: canonical ? content : lowerCased(content), mentions: [...mentions], mentionsAll };
}

function checkLength(text: string, limit: number): void {
  // A code unit takes three bytes at most.
  if (text.length * 3 <= limit || Buffer.byteLength(text) <= limit) return;
  throw shared.invalidFields([{ field: "content.text.text", description: `must have at most ${limit} bytes` }]);
}

/** Whether a stretch of UTF-16 code units lies in the text and cuts no character in two. */
function covers(text: string, offset: number, length: number): boolean {
  const end = offset + length;
  return length > 0 && end <= text.length && !splitsPair(text, offset) && !splitsPair(text, end);
}

function splitsPair(text: string, index: number): boolean {
  if (index === 0 || index === text.length) return false;
  const low = text.charCodeAt(index) & 0xfc00;
  const high = text.charCodeAt(index - 1) & 0xfc00;
  return low === 0xdc00 && high === 0xd800;
}

/** A copy, since the request isn't ours to change. */
function lowerCased(content: Content): Content {
  const copy = clone(ContentSchema, content);
  for (const { kind } of (copy.kind.value as TextContent).entities) {
    if (kind.case === "mention") kind.value.userId = kind.value.userId.toLowerCase();
  }
  return copy;
}
