import type { Event } from "../socket.ts";

/** Codes of errors that a repeat may mend: DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED, UNAVAILABLE. */
const AGAIN = new Set([4, 8, 14]);

/** What became of one try; times are milliseconds of a clock that never goes back. */
interface Try {
  readonly began: number;
  readonly ended: number;
  readonly outcome:
    | { readonly kind: "ok"; readonly recordId: string; readonly seq: number; readonly duplicate: boolean }
    | { readonly kind: "failed" | "unknown"; readonly reason: string };
}

/** A message that a device wanted to send, with all tries. */
export class Message {
  readonly userId: string;
  readonly conversationId: string;
  readonly key: string;
  readonly fact: { readonly kind: "message"; readonly text: string };
  readonly tries: Try[] = [];
  readonly #diary: Diary;

  constructor(diary: Diary, userId: string, conversationId: string, key: string, text: string) {
    this.#diary = diary;
    this.userId = userId;
    this.conversationId = conversationId;
    this.key = key;
    this.fact = { kind: "message", text };
  }

  /** Where it was accepted. */
  get accepted(): { readonly recordId: string; readonly seq: number } | undefined {
    const last = this.tries.at(-1)?.outcome;
    return last?.kind === "ok" ? last : undefined;
  }

  /** Notes an answer; says after how many milliseconds to repeat if the server has, or that there is no use in it. */
  answered(began: number, event: Event | Error): number | "refused" | undefined {
    const ended = performance.now();
    if (!(event instanceof Error) && event.case === "messageAccepted") {
      const { recordId, seq, duplicate } = event.value;
      this.tries.push({ began, ended, outcome: { kind: "ok", recordId, seq: Number(seq), duplicate } });
      return undefined;
    }
    if (event instanceof Error || event.case !== "error") {
      const reason = event instanceof Error ? event.message.replace(/\d+ ms/, "time") : `an unexpected ${event.case}`;
      this.tries.push({ began, ended, outcome: { kind: "unknown", reason } });
      this.#diary.retried(reason);
      return undefined;
    }
    const { code, reason, retryAfter } = event.value;
    const again = AGAIN.has(code);
    this.tries.push({ began, ended, outcome: { kind: code === 4 ? "unknown" : "failed", reason } });
    if (!again) {
      this.#diary.refused.push(`${this.key}: ${code} ${reason} ${event.value.message}`);
      return "refused";
    }
    this.#diary.retried(reason);
    return retryAfter === undefined ? undefined : Number(retryAfter.seconds) * 1000 + retryAfter.nanos / 1e6;
  }
}

/** Something that a device was shown of a conversation. */
export interface Sight {
  readonly userId: string;
  readonly conversationId: string;
  readonly via: "records" | "sync";
  readonly began: number;
  readonly ended: number;
  readonly headSeq: number;
  readonly records: readonly { readonly seq: number; readonly recordId: string }[];
}

/** What a device has been through. */
export class Diary {
  readonly messages: Message[] = [];
  readonly sights: Sight[] = [];
  /** Answers to messages that a repeat can't mend. */
  readonly refused: string[] = [];
  /** Why messages were repeated, and how often. */
  readonly retries = new Map<string, number>();
  /** What else did not work at once, and how often. */
  readonly troubles = new Map<string, number>();
  /** How connections ended that the device did not end itself. */
  readonly closings = new Map<string, number>();
  readonly gateways: string[] = [];
  /** Of `sync`. */
  pages = 0;
  pushed = 0;
  hinted = 0;
  fetched = 0;
  /** Gaps that did not close by themselves. */
  gaps = 0;
  sentAway = 0;

  begin(userId: string, conversationId: string, key: string, text: string): Message {
    const message = new Message(this, userId, conversationId, key, text);
    this.messages.push(message);
    return message;
  }

  retried(why: string): void {
    count(this.retries, why);
  }

  failed(what: string, error: unknown): void {
    count(this.troubles, `${what}: ${error instanceof Error ? error.message : String(error)}`);
  }

  closed(code: number, reason: string): void {
    count(this.closings, `${code} ${reason}`);
  }

  connected(gatewayId: string): void {
    this.gateways.push(gatewayId);
  }

  saw(
    userId: string,
    conversationId: string,
    began: number,
    headSeq: number,
    records: readonly { readonly seq: string; readonly recordId: string }[] = [],
  ): void {
    this.sights.push({
      userId,
      conversationId,
      via: records.length > 0 ? "records" : "sync",
      began,
      ended: performance.now(),
      headSeq,
      records: records.map(({ seq, recordId }) => ({ seq: Number(seq), recordId })),
    });
  }
}

function count(counts: Map<string, number>, what: string): void {
  counts.set(what, (counts.get(what) ?? 0) + 1);
}

/** The sums of several. */
export function sumOf(counts: Iterable<ReadonlyMap<string, number>>): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const each of counts) for (const [what, n] of each) sums[what] = (sums[what] ?? 0) + n;
  return sums;
}
