import type { CursorMove, Entry, Fact, FinalState, History, Operation, Told, Try, View } from "../history.ts";

type Changeable<T> = { -readonly [K in keyof T]: T[K] };

/** A history and its end that may be tampered with. */
export interface Story {
  readonly operations: (Changeable<Omit<Operation, "tries">> & { readonly tries: Changeable<Try>[] })[];
  readonly cursorMoves: Changeable<CursorMove>[];
  readonly views: Changeable<View>[];
  readonly stream: Changeable<Entry>[];
  readonly store: Changeable<Entry>[];
  readonly lists: Changeable<View>[];
  readonly told: Changeable<Told>[];
}

export const GROUP = "g_1";
export const DIRECT = "d_ann_bob";
/** A member from 1 to 1000, and from 2001 on. */
export const LEAVER = "cid";
export const STRANGER = "eve";
const SENDERS = ["ann", "bob", "dan"];

/**
 * A sound history: 3000 records of a group and 100 of a direct conversation, sent one after another, every 50th with an unknown
 * outcome and a repeat; with edits, recalls, reactions, a member who leaves and comes back, and cursors.
 */
export function soundStory(): Story {
  const story: Story = { operations: [], cursorMoves: [], views: [], stream: [], store: [], lists: [], told: [] };
  const teller = new Teller(story);
  teller.record(GROUP, "ann", { kind: "membership", joined: ["ann", "bob", LEAVER, "dan"], left: [] });
  for (let seq = 2; seq <= 3000; seq++) teller.next(GROUP, seq, SENDERS[seq % 3] ?? "ann");
  for (let seq = 1; seq <= 100; seq++) teller.operation(DIRECT, "ann", { kind: "message", text: `direct ${seq}` });
  teller.cursor("bob", GROUP, 1500);
  teller.cursor("bob", GROUP, 1200);
  teller.cursor(LEAVER, GROUP, 2500);
  for (const [userId, conversationId] of [
    ["ann", GROUP],
    ["bob", GROUP],
    [LEAVER, GROUP],
    ["ann", DIRECT],
    ["bob", DIRECT],
  ] as const) {
    teller.rest(userId, conversationId);
  }
  return story;
}

export const historyOf = ({ operations, cursorMoves, views }: Story): History => ({ operations, cursorMoves, views });
export const endOf = ({ stream, store, lists, told }: Story): FinalState => ({ stream, store, lists, told });

class Teller {
  readonly #story: Story;
  readonly #heads = new Map<string, number>();
  #now = 0;
  #ids = 0;

  constructor(story: Story) {
    this.#story = story;
  }

  /** The group's record at that seq. */
  next(conversationId: string, seq: number, userId: string): void {
    if (seq === 1000) this.record(conversationId, "ann", { kind: "membership", joined: [], left: [LEAVER] });
    else if (seq === 2001) this.record(conversationId, "ann", { kind: "membership", joined: [LEAVER], left: [] });
    else this.operation(conversationId, userId, factAt(seq));
    if (seq % 100 === 0) this.#view("bob", conversationId, seq);
  }

  operation(conversationId: string, userId: string, fact: Fact): void {
    const keyed = fact.kind === "message" || fact.kind === "edit";
    const key = keyed ? `key ${this.#ids}` : undefined;
    const { seq, recordId } = this.record(conversationId, userId, fact, key);
    const accepted = { kind: "ok", recordId, seq, duplicate: false } as const;
    const unknown = { kind: "unknown", reason: "timeout" } as const;
    const repeated = keyed && seq % 50 === 0;
    const tries = repeated
      ? [this.#took(unknown), this.#took({ ...accepted, duplicate: true })]
      : [this.#took(accepted)];
    this.#story.operations.push({ userId, conversationId, fact, key, pipeline: userId, tries });
  }

  cursor(userId: string, conversationId: string, seq: number): void {
    const { recordId, seq: place } = this.record(`u_${userId}`, userId, { kind: "read", conversationId, seq });
    const outcome = { kind: "ok", recordId, seq: place, duplicate: false } as const;
    this.#story.cursorMoves.push({ userId, conversationId, seq, tries: [this.#took(outcome)] });
  }

  record(conversationId: string, senderUserId: string, fact: Fact, key?: string): Entry {
    const seq = (this.#heads.get(conversationId) ?? 0) + 1;
    this.#heads.set(conversationId, seq);
    const entry = { conversationId, seq, recordId: `record ${this.#ids++}`, senderUserId, fact, key };
    this.#story.stream.push({ ...entry });
    this.#story.store.push({ ...entry });
    return entry;
  }

  /** What that user reads and is told at the end. */
  rest(userId: string, conversationId: string): void {
    const log = this.#story.stream.filter((entry) => entry.conversationId === conversationId);
    const may = (seq: number) => userId !== LEAVER || seq <= 1000 || seq >= 2001;
    const records = log.filter(({ seq }) => may(seq)).map(({ seq, recordId }) => ({ seq, recordId }));
    const times = { began: this.#now++, ended: this.#now++ };
    this.#story.lists.push({ userId, conversationId, via: "records", ...times, records, headSeq: log.length });
    const readSeq = conversationId === DIRECT ? 0 : userId === "bob" ? 1500 : userId === LEAVER ? 2500 : 0;
    const recalled = new Set(log.flatMap(({ fact }) => (fact.kind === "recall" ? [fact.target] : [])));
    const unread = log.filter(
      ({ seq, senderUserId, fact }) =>
        fact.kind === "message" && seq > readSeq && senderUserId !== userId && may(seq) && !recalled.has(seq),
    ).length;
    this.#story.told.push({ userId, conversationId, readSeq, unread: Math.min(999, unread) });
  }

  #view(userId: string, conversationId: string, headSeq: number): void {
    const log = this.#story.stream.filter((entry) => entry.conversationId === conversationId);
    const records = log.slice(-50).map(({ seq, recordId }) => ({ seq, recordId }));
    const covers = { from: headSeq - 49, to: headSeq };
    const times = { began: this.#now++, ended: this.#now++ };
    this.#story.views.push({ userId, conversationId, via: "records", ...times, headSeq, records, covers });
  }

  #took(outcome: Try["outcome"]): Try {
    return { began: this.#now++, ended: this.#now++, outcome };
  }
}

function factAt(seq: number): Fact {
  if (seq % 20 === 5) return { kind: "edit", target: seq - 3, text: `edited ${seq}` };
  if (seq % 20 === 10) return { kind: "recall", target: seq - 6 };
  if (seq % 20 === 15) return { kind: "reaction", target: seq - 3, emoji: "👍", removed: false };
  return { kind: "message", text: `message ${seq}` };
}
