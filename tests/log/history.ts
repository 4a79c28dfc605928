/** What a record says, as far as the checker looks at it. */
export type Fact =
  | { readonly kind: "message"; readonly text: string }
  | { readonly kind: "edit"; readonly target: number; readonly text: string }
  | { readonly kind: "recall"; readonly target: number }
  | { readonly kind: "reaction"; readonly target: number; readonly emoji: string; readonly removed: boolean }
  | { readonly kind: "membership"; readonly joined: readonly string[]; readonly left: readonly string[] }
  | { readonly kind: "read"; readonly conversationId: string; readonly seq: number }
  | { readonly kind: "other"; readonly name: string };

/** What became of one try. Times are milliseconds of a clock that never goes back. */
export interface Try {
  readonly began: number;
  readonly ended: number;
  readonly outcome: Outcome;
}

/** A refusal is definite: nothing was stored. Whatever is not known, a timeout above all, is unknown and never failed. */
export type Outcome =
  | { readonly kind: "ok"; readonly recordId: string; readonly seq: number; readonly duplicate: boolean }
  | { readonly kind: "failed"; readonly reason: string }
  | { readonly kind: "unknown"; readonly reason: string };

/** What a user wanted to write into a conversation, with all tries. */
export interface Operation {
  readonly userId: string;
  readonly conversationId: string;
  readonly fact: Fact;
  /** The key that its user chose; undefined for what has none: recalls and reactions. */
  readonly key: string | undefined;
  /** Commands that went over the same connection without waiting for each other have the same name here, in their order. */
  readonly pipeline?: string;
  readonly tries: readonly Try[];
}

/** A read cursor that a user wanted to move. */
export interface CursorMove {
  readonly userId: string;
  readonly conversationId: string;
  readonly seq: number;
  readonly tries: readonly Pick<Try, "began" | "ended" | "outcome">[];
}

/** Something that a user was shown. */
export interface View {
  readonly userId: string;
  readonly conversationId: string;
  readonly via: "records" | "history" | "conversations" | "sync" | "search";
  readonly began: number;
  readonly ended: number;
  /** The conversation's last record, if the answer said so. */
  readonly headSeq?: number;
  /** The records shown. */
  readonly records: readonly Shown[];
  /** Of a page of the log as it is: what it claims to cover, both ends included. */
  readonly covers?: { readonly from: number; readonly to: number };
}

export interface Shown {
  readonly seq: number;
  readonly recordId: string;
}

/** Everything that happened. */
export interface History {
  readonly operations: readonly Operation[];
  readonly cursorMoves: readonly CursorMove[];
  readonly views: readonly View[];
}

/** A record where it came to rest. */
export interface Entry extends Shown {
  readonly conversationId: string;
  readonly senderUserId: string;
  readonly fact: Fact;
  /** The key that it was accepted under, where that is known. */
  readonly key: string | undefined;
}

/** What a user is told of a conversation when everything has come to rest. */
export interface Told {
  readonly userId: string;
  readonly conversationId: string;
  readonly unread: number;
  readonly readSeq: number;
}

/** What there is when everything has come to rest. */
export interface FinalState {
  /** What the log holds. */
  readonly stream: readonly Entry[];
  /** What the message store holds. */
  readonly store: readonly Entry[];
  /** Each member's list, read from the beginning to the end. */
  readonly lists: readonly View[];
  readonly told: readonly Told[];
  /** Conversations whose newcomers may read what was said before. */
  readonly openHistory?: ReadonlySet<string>;
}

export type CheckName = "C1" | "C2" | "C3" | "C4" | "C5" | "C6" | "C7" | "C10";

/** Something that must not be. */
export interface Violation {
  readonly check: CheckName;
  readonly what: string;
}

/** The same text for the same fact. */
export function textOf(fact: Fact): string {
  return JSON.stringify(fact, Object.keys(fact).sort());
}

/** Values by a key, each list in the order of the input. */
export function groupBy<T>(values: Iterable<T>, keyOf: (value: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const value of values) {
    const key = keyOf(value);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [value]);
    else group.push(value);
  }
  return groups;
}
