import { randomUUID } from "node:crypto";
import type { Request } from "./api-table.ts";

/** What a request is about. */
export interface Subject {
  /** A conversation of the caller's. */
  readonly conversationId: string;
  /** The caller. */
  readonly userId: string;
  /** A message of his there. */
  readonly recordId: string;
  readonly seq: string;
  /** A word of that message. */
  readonly word: string;
}

/** A request of each method that is good. */
export const requests: Readonly<Record<string, (about: Subject) => Request>> = {
  SendMessage: ({ conversationId }) => ({
    conversationId,
    clientMessageId: randomUUID(),
    content: { text: { text: "ahoy" } },
  }),
  EditMessage: ({ conversationId, recordId }) => ({
    conversationId,
    recordId,
    clientMessageId: randomUUID(),
    content: { text: { text: "ahoi" } },
  }),
  RecallMessage: ({ conversationId, recordId }) => ({ conversationId, recordId }),
  React: ({ conversationId, recordId }) => ({ conversationId, recordId, emoji: "🐋" }),
  RemoveReaction: ({ conversationId, recordId }) => ({ conversationId, recordId, emoji: "🐋" }),
  MarkRead: ({ conversationId, seq }) => ({ conversationId, seq }),
  Confirm: ({ conversationId, seq }) => ({ conversationId, seq }),
  UpdateConversationSettings: ({ conversationId }) => ({
    conversationId,
    pinned: true,
    mutedUntil: "2999-01-01T00:00:00Z",
  }),
  SetTyping: ({ conversationId }) => ({ conversationId, active: true }),
  ListRecords: ({ conversationId, seq }) => ({ conversationId, afterSeq: String(BigInt(seq) - 1n), limit: 1 }),
  ListConversations: () => ({ pageSize: 10 }),
  GetConversation: ({ conversationId }) => ({ conversationId }),
  Sync: () => ({ cursor: "", pageSize: 10 }),
  GetReadReceipts: ({ conversationId, seq }) => ({ conversationId, seq }),
  BatchGetPresence: ({ userId }) => ({ userIds: [userId] }),
  SetStatus: () => ({ status: "STATUS_AWAY", statusText: "at sea", expireTime: "2999-01-01T00:00:00Z" }),
  SubscribePresence: ({ userId }) => ({ userIds: [userId] }),
  Search: ({ conversationId, word }) => ({ query: word, conversationId }),
};
