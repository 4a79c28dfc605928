import type { Command } from "@oceanchat/gen/oceanchat/message/v1/message_mesh_service_pb";
import { ServiceError } from "@oceanchat/runtime/fail";
import type { CursorMove, Fact, History, Operation, Outcome, Try, View } from "../history.ts";
import type { LogMesh } from "./log-mesh.ts";

type UserCommand = Exclude<Command["command"], { case: undefined }>;

/** Refusals after which nothing is known to be wrong: a repeat may succeed. */
const PASSING = ["UNAVAILABLE", "OVERLOADED", "RATE_LIMITED"];

/** An operation that is being tried. */
export interface Attempted extends Operation {
  readonly tries: Try[];
  /** The command of its n-th try. */
  readonly command: (attempt: number) => UserCommand;
}

export interface TryOptions {
  /** Which instance of message. */
  readonly instance: number;
  /** The answer, if it is "accepted", gets lost on its way: the client knows nothing. */
  readonly dropAnswer?: boolean;
}

/** Sends commands as clients do by way of routers, and notes all that happens. */
export class Recorder {
  readonly operations: Attempted[] = [];
  readonly cursorMoves: (CursorMove & { readonly tries: Try[] })[] = [];
  readonly views: View[] = [];
  /** Answers that must not be, seen at once. */
  readonly wrong: string[] = [];
  readonly #mesh: LogMesh;

  constructor(mesh: LogMesh) {
    this.#mesh = mesh;
  }

  get history(): History {
    return this;
  }

  /** Notes an operation; it happens with its first try. */
  begin(operation: Omit<Attempted, "tries">): Attempted {
    const attempted = { ...operation, tries: [] };
    this.operations.push(attempted);
    return attempted;
  }

  /** Tries once; never rejects. */
  async try(operation: Attempted, { instance, dropAnswer }: TryOptions): Promise<Outcome> {
    const began = performance.now();
    const command = operation.command(operation.tries.length + 1);
    const answered = await this.ask(operation.userId, command, instance);
    const lost = dropAnswer === true && answered.kind === "ok";
    const outcome: Outcome = lost ? { kind: "unknown", reason: "the answer was lost" } : answered;
    operation.tries.push({ began, ended: performance.now(), outcome });
    return outcome;
  }

  /** Tries until there is an answer that a repeat would not change, as a good client does; at most `tries` times. */
  async resolve(operation: Attempted, instance = 0, tries = 60): Promise<Outcome> {
    for (let count = 1; ; count++) {
      const outcome = await this.try(operation, { instance: instance + count });
      if (!mayChange(outcome) || count === tries) return outcome;
      await new Promise((resolve) => setTimeout(resolve, Math.min(50 * count, 500)));
    }
  }

  async moveCursor(userId: string, conversationId: string, seq: number, instance: number): Promise<Outcome> {
    const began = performance.now();
    const command = { case: "markRead", value: { conversationId, seq: BigInt(seq) } } as UserCommand;
    const move = { userId, conversationId, seq, tries: [] as Try[] };
    this.cursorMoves.push(move);
    const outcome = await this.ask(userId, command, instance);
    move.tries.push({ began, ended: performance.now(), outcome });
    return outcome;
  }

  /** Notes what a read shows, if it shows anything. */
  async read<T>(call: () => Promise<T>, viewsOf: (answer: T) => Omit<View, "began" | "ended">[]): Promise<T> {
    const began = performance.now();
    const answer = await call();
    const ended = performance.now();
    this.views.push(...viewsOf(answer).map((view) => ({ ...view, began, ended })));
    return answer;
  }

  /** Sends a command to one instance of message. */
  async ask(userId: string, command: UserCommand, instance: number): Promise<Outcome> {
    const { writers, commands } = this.#mesh;
    const address = writers[instance % writers.length];
    const sender = { userId, sessionId: "session", deviceId: "phone" };
    try {
      const { result } = await commands.call({ sender, command }, address === undefined ? {} : { address });
      if (result.case === "done") return { kind: "ok", recordId: "", seq: 0, duplicate: false };
      if (result.case !== "accepted") return { kind: "unknown", reason: "an empty answer" };
      const { recordId, seq, duplicate } = result.value;
      return { kind: "ok", recordId, seq: Number(seq), duplicate };
    } catch (error) {
      if (!(error instanceof ServiceError)) throw error;
      const reason = error.reason.replace("ERROR_REASON_", "");
      const unknown = reason === "OUTCOME_UNKNOWN" || reason === "INTERNAL";
      return { kind: unknown ? "unknown" : "failed", reason };
    }
  }

  /** How many operations ended how, and how often tries failed. */
  counts(): Counts {
    const counts: Counts = { operations: this.operations.length, ok: 0, failed: 0, unknown: 0, tries: {} };
    for (const { tries } of this.operations) {
      const ended = tries.find(({ outcome }) => outcome.kind === "ok") ?? tries.at(-1);
      if (ended !== undefined) counts[ended.outcome.kind]++;
      for (const { outcome } of tries) {
        const name = outcome.kind === "ok" ? "ok" : outcome.reason;
        counts.tries[name] = (counts.tries[name] ?? 0) + 1;
      }
    }
    return counts;
  }
}

export interface Counts {
  readonly operations: number;
  ok: number;
  failed: number;
  unknown: number;
  /** Tries by what became of them. */
  readonly tries: Record<string, number>;
}

/** Whether another try may end otherwise. */
export function mayChange(outcome: Outcome): boolean {
  return outcome.kind === "unknown" || (outcome.kind === "failed" && PASSING.includes(outcome.reason));
}

/** Says a text. */
export function saying(
  { userId }: { readonly userId: string },
  conversationId: string,
  text: string,
  key: string = crypto.randomUUID(),
): Omit<Attempted, "tries"> {
  const fact: Fact = { kind: "message", text };
  const target = { case: "conversationId", value: conversationId } as const;
  const content = { kind: { case: "text", value: { text } } };
  const command = (attempt: number) =>
    ({ case: "sendMessage", value: { target, clientMessageId: key, attempt, content } }) as UserCommand;
  return { userId, conversationId, fact, key, command };
}

/** A message that somebody is going to change. */
export interface Target {
  readonly conversationId: string;
  readonly seq: number;
  readonly recordId: string;
}

export function editing(
  userId: string,
  { conversationId, seq, recordId }: Target,
  text: string,
): Omit<Attempted, "tries"> {
  const key = crypto.randomUUID();
  const content = { kind: { case: "text", value: { text } } };
  const command = (attempt: number) =>
    ({
      case: "editMessage",
      value: { conversationId, recordId, clientMessageId: key, attempt, content },
    }) as UserCommand;
  return { userId, conversationId, fact: { kind: "edit", target: seq, text }, key, command };
}

export function recalling(userId: string, { conversationId, seq, recordId }: Target): Omit<Attempted, "tries"> {
  const command = () => ({ case: "recallMessage", value: { conversationId, recordId } }) as UserCommand;
  return { userId, conversationId, fact: { kind: "recall", target: seq }, key: undefined, command };
}

export function reacting(
  userId: string,
  { conversationId, seq, recordId }: Target,
  emoji: string,
  removed: boolean,
): Omit<Attempted, "tries"> {
  const fact: Fact = { kind: "reaction", target: seq, emoji, removed };
  const command = () => ({ case: "react", value: { conversationId, recordId, emoji, removed } }) as UserCommand;
  return { userId, conversationId, fact, key: undefined, command };
}
