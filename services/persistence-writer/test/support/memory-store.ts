import type { Changes, Head, Place, RecordRow, Store, Tail, UserConversation } from "../../src/ports.ts";

/** A store in memory with the same unique indexes as the real one. */
export class MemoryStore implements Store {
  readonly rows: RecordRow[] = [];
  readonly heads = new Map<string, Head>();
  readonly lists = new Map<string, UserConversation>();
  readonly applied: Changes[] = [];
  readonly calls: string[] = [];

  async insert(rows: readonly RecordRow[]): Promise<readonly number[]> {
    this.calls.push(`insert ${rows.length}`);
    return rows.flatMap((row, index) => {
      if (this.rows.some((other) => clashes(row, other))) return [index];
      this.rows.push(row);
      return [];
    });
  }

  async placesOf(recordIds: readonly string[]): Promise<readonly Place[]> {
    return this.rows.filter(({ recordId }) => recordIds.includes(recordId));
  }

  async recordAt(conversationId: string, seq: bigint): Promise<string | undefined> {
    return this.rows.find((row) => row.conversationId === conversationId && row.seq === seq)?.recordId;
  }

  async apply(changes: Changes): Promise<void> {
    this.calls.push("apply");
    this.applied.push(changes);
  }

  async moveHeads(heads: readonly Head[]): Promise<void> {
    this.calls.push(`heads ${heads.length}`);
    for (const head of heads) {
      const known = this.heads.get(head.conversationId);
      if (known === undefined || known.headSeq < head.headSeq) this.heads.set(head.conversationId, head);
    }
  }

  async moveUserConversations(conversations: readonly UserConversation[]): Promise<void> {
    this.calls.push(`lists ${conversations.length}`);
    for (const conversation of conversations) {
      const key = `${conversation.userId}:${conversation.conversationId}`;
      const known = this.lists.get(key);
      if (known === undefined || known.lastTime < conversation.lastTime) this.lists.set(key, conversation);
    }
  }
}

function clashes(a: RecordRow, b: RecordRow): boolean {
  return (
    a.recordId === b.recordId ||
    (a.conversationId === b.conversationId && a.seq === b.seq) ||
    (a.clientMessageId !== undefined && a.clientMessageId === b.clientMessageId && a.senderUserId === b.senderUserId)
  );
}

/** For what is not about the tail. */
export const noTail: Tail = { add: async () => {} };
