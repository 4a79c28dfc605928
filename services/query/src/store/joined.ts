import type { LookupRules } from "@oceanchat/runtime/joined-lookups";

/**
 * How look-ups by id are joined over all calls under way: many devices that come back at once ask for little each, and a request to
 * the store costs more than what it looks up. The driver has been seen to wait for ever on a connection that was just cut.
 */
export const JOINED: LookupRules = { atOnce: 4, maxKeys: 500, timeoutMs: 6_000 };

/** The id of what the store keeps of a user and a conversation. */
export const ofUser = (userId: string, conversationId: string): string => `${userId}:${conversationId}`;
