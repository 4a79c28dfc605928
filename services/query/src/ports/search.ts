import type { WordQuery } from "@oceanchat/runtime/words";
import type { Interval } from "../ports.ts";

/** A message that was found; also a place among the found: what comes after it is older. */
export interface FoundMessage {
  readonly conversationId: string;
  readonly seq: bigint;
  /** In milliseconds since the epoch. */
  readonly acceptedTimeMs: number;
}

/** A conversation to search, as far as the user may read it. */
export interface SearchedConversation {
  readonly conversationId: string;
  /** At least one. */
  readonly intervals: readonly Interval[];
}

/** What is looked for. */
export interface MessageQuery {
  /** All of them must be there. The first is looked up in the index, by its token if it has one: the rarest; at least one. */
  readonly words: readonly WordQuery[];
  /** Only of this user; empty for everybody. */
  readonly senderUserId: string;
  /** Only messages that were accepted at this time or later, in milliseconds since the epoch. */
  readonly fromMs: number;
  /** Only messages that were accepted before; undefined for all. */
  readonly toMs: number | undefined;
  /** Only what comes after this place. */
  readonly after: FoundMessage | undefined;
  readonly limit: number;
}

/** The writer's index of what messages say; some moments behind, and ahead of the records at other moments. */
export interface SearchIndex {
  /**
   * Messages of these conversations, the newest of all of them, at most `limit` of each; not sorted. Few conversations, and
   * a beginning without a token, are looked up one by one; many at once, which costs less but reads everything that matches.
   */
  search(conversations: readonly SearchedConversation[], query: MessageQuery): Promise<readonly FoundMessage[]>;
}
