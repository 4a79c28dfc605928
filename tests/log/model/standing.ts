import type { Record as LogRecord } from "@oceanchat/gen/oceanchat/records/v1/record_pb";
import type { Memberships } from "../membership.ts";
import { type Logged, textIn } from "../support/at-rest.ts";

/** A message as somebody sees it, or any other record that history shows. */
export interface Standing {
  readonly seq: number;
  readonly recordId: string;
  readonly text: string;
  readonly edited: boolean;
  readonly recalled: boolean;
  /** The oldest kind first. */
  readonly reactions: readonly string[];
}

/** What the log of one conversation makes of its messages: the model that answers are compared with. */
export class Model {
  readonly conversationId: string;
  readonly #log: readonly Logged[];
  readonly #memberships: Memberships;
  /** The records that change each message, in ascending order. */
  readonly #changes = new Map<number, Logged[]>();

  constructor(conversationId: string, log: readonly Logged[], memberships: Memberships) {
    this.conversationId = conversationId;
    this.#log = log.filter((entry) => entry.conversationId === conversationId);
    this.#memberships = memberships;
    for (const entry of this.#log) {
      const { fact } = entry;
      if (fact.kind !== "edit" && fact.kind !== "recall" && fact.kind !== "reaction") continue;
      this.#changes.set(fact.target, [...(this.#changes.get(fact.target) ?? []), entry]);
    }
  }

  get headSeq(): number {
    return this.#log.length;
  }

  /** What history shows a user of everything that he may read, from the beginning to the end. */
  history(userId: string): Standing[] {
    return this.#log
      .filter(({ seq, fact }) => this.#mayRead(userId, seq) && !isChange(fact.kind))
      .map(({ seq }) => this.standing(userId, seq, this.headSeq));
  }

  /** The record as that user sees it when the log's head is there. */
  standing(userId: string, seq: number, headSeq: number): Standing {
    const entry = this.#log[seq - 1];
    if (entry === undefined) throw new Error(`${this.conversationId} has no record ${seq}`);
    const plain = { seq, recordId: entry.recordId, text: "", edited: false, recalled: false, reactions: [] };
    if (entry.fact.kind !== "message") return plain;
    const changes = (this.#changes.get(seq) ?? []).filter((change) => change.seq <= headSeq);
    // A recall takes away, so it counts for everybody.
    if (changes.some(({ fact }) => fact.kind === "recall")) return { ...plain, recalled: true };
    const edit = changes.findLast(({ fact }) => fact.kind === "edit");
    const edited = edit?.fact.kind === "edit" && this.#mayRead(userId, edit.seq) ? edit.fact.text : undefined;
    return {
      ...plain,
      text: edited ?? entry.fact.text,
      edited: edited !== undefined,
      reactions: this.#reactions(userId, changes),
    };
  }

  /** Whether a record that was read looks as it may have at some moment after the log's head was there. */
  isPossible(userId: string, shown: Standing, headSeqThen: number): boolean {
    const later = (this.#changes.get(shown.seq) ?? []).map(({ seq }) => seq).filter((seq) => seq > headSeqThen);
    const text = JSON.stringify(shown);
    return [headSeqThen, ...later].some((head) => JSON.stringify(this.standing(userId, shown.seq, head)) === text);
  }

  #reactions(userId: string, changes: readonly Logged[]): string[] {
    const last = new Map<string, Logged>();
    for (const change of changes) {
      if (change.fact.kind === "reaction") last.set(`${change.senderUserId} ${change.fact.emoji}`, change);
    }
    const present = [...last.values()]
      .filter(({ fact, seq }) => fact.kind === "reaction" && !fact.removed && this.#mayRead(userId, seq))
      .sort((a, b) => a.seq - b.seq);
    const kinds = new Map<string, string[]>();
    for (const { fact, senderUserId } of present) {
      if (fact.kind === "reaction") kinds.set(fact.emoji, [...(kinds.get(fact.emoji) ?? []), senderUserId]);
    }
    return [...kinds].map(([emoji, users]) => `${emoji} ${users.join()}${users.includes(userId) ? " mine" : ""}`);
  }

  #mayRead(userId: string, seq: number): boolean {
    return this.#memberships.allows(this.conversationId, userId, seq);
  }
}

/** A record of history in the model's terms. */
export function standingOf(record: LogRecord): Standing {
  const { seq, recordId, body, editedTime, recalled, reactions } = record;
  return {
    seq: Number(seq),
    recordId,
    text: body.case === "message" ? textIn(body.value.content) : "",
    edited: editedTime !== undefined,
    recalled,
    reactions: reactions.map(({ emoji, userIds, mine }) => `${emoji} ${userIds.join()}${mine ? " mine" : ""}`),
  };
}

function isChange(kind: string): boolean {
  return kind === "edit" || kind === "recall" || kind === "reaction";
}
