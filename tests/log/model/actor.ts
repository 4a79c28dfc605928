import { Code, ConnectError } from "@connectrpc/connect";
import type { Device } from "../support/device.ts";
import type { LogUser } from "../support/log-user.ts";
import { type Attempted, editing, reacting, recalling, saying, type Target } from "../support/recorder.ts";
import type { Step } from "./plan.ts";
import { Reader } from "./reader.ts";
import { conversationOf, type Stage } from "./stage.ts";

const EMOJIS = ["👍", "🐋"];
/** Answers that a process that is killed, or a user who isn't a member (any more), explains. */
const EXPLAINED: ReadonlySet<Code> = new Set([
  Code.Unavailable,
  Code.DeadlineExceeded,
  Code.NotFound,
  Code.PermissionDenied,
  Code.FailedPrecondition,
  Code.ResourceExhausted,
  Code.Unimplemented,
  // The connection broke.
  Code.Aborted,
  Code.Canceled,
  Code.Unknown,
  Code.Internal,
]);

/** A user who does one step after another. */
export class Actor {
  readonly #stage: Stage;
  readonly #user: LogUser;
  readonly #reader: Reader;
  #said = 0;

  constructor(stage: Stage, user: LogUser) {
    this.#stage = stage;
    this.#user = user;
    this.#reader = new Reader(stage, user);
  }

  get device(): Device {
    return this.#reader.device;
  }

  async run(steps: readonly Step[]): Promise<void> {
    for (const step of steps) {
      try {
        await this.#do(step);
      } catch (error) {
        if (!(error instanceof ConnectError) || !EXPLAINED.has(error.code)) throw error;
        const why = `${step.kind} ${Code[error.code]}`;
        this.#stage.refused.set(why, (this.#stage.refused.get(why) ?? 0) + 1);
      }
    }
  }

  async #do(step: Step): Promise<void> {
    const { recorder } = this.#stage;
    const { userId } = this.#user;
    switch (step.kind) {
      case "send":
        await this.#try(recorder.begin(this.#next(step.conversation)), step);
        return;
      case "burst":
        return this.#burst(step);
      case "repeat":
        return this.#repeat(step);
      case "edit": {
        const target = this.#target(step.which, true);
        if (target !== undefined) await this.#try(recorder.begin(editing(userId, target, this.#text())), step);
        return;
      }
      case "recall": {
        const target = this.#target(step.which, true);
        if (target !== undefined) await this.#try(recorder.begin(recalling(userId, target)), step);
        return;
      }
      case "react": {
        const target = this.#target(step.which, false);
        const emoji = EMOJIS[step.emoji] ?? "👍";
        if (target !== undefined) await this.#try(recorder.begin(reacting(userId, target, emoji, step.removed)), step);
        return;
      }
      case "markRead": {
        const conversationId = this.#conversation(step.conversation);
        const last = Math.max(
          0,
          ...this.#targets()
            .filter((each) => each.conversationId === conversationId)
            .map(({ seq }) => seq),
        );
        await recorder.moveCursor(userId, conversationId, Math.max(1, last - step.back), step.instance);
        return;
      }
      case "membership":
        return this.#changeMembership(step);
      default:
        return this.#reader.run(step);
    }
  }

  /** One try, and half of the time another one when the outcome isn't known. */
  async #try(operation: Attempted, { instance, dropAnswer = false }: { instance: number; dropAnswer?: boolean }) {
    const outcome = await this.#stage.recorder.try(operation, { instance, dropAnswer });
    if (outcome.kind === "unknown" && this.#said % 2 === 0) {
      await this.#stage.recorder.try(operation, { instance: instance + 1 });
    }
  }

  /** Several messages over one connection, none of which waits for the one before. */
  async #burst({ conversation, instance, count }: Step & { kind: "burst" }): Promise<void> {
    const { recorder } = this.#stage;
    const pipeline = `${this.#user.userId} ${instance}`;
    const operations = Array.from({ length: count }, () => recorder.begin({ ...this.#next(conversation), pipeline }));
    await Promise.all(operations.map((operation) => recorder.try(operation, { instance })));
  }

  /** The same message once more; or another message under the key of one that was accepted, which must be refused. */
  async #repeat({ which, instance, otherBody }: Step & { kind: "repeat" }): Promise<void> {
    const { recorder } = this.#stage;
    const { userId } = this.#user;
    const own = recorder.operations.filter(
      (each) => each.userId === userId && each.fact.kind === "message" && each.tries.length > 0,
    );
    const operation = own[which % Math.max(1, own.length)];
    if (operation === undefined) return;
    if (!otherBody) {
      await recorder.try(operation, { instance });
      return;
    }
    if (!operation.tries.some(({ outcome }) => outcome.kind === "ok")) return;
    const other = saying(this.#user, operation.conversationId, `not ${this.#text()}`, operation.key);
    const outcome = await recorder.ask(userId, other.command(1 + (which % 2)), instance);
    if (outcome.kind === "ok") recorder.wrong.push(`C10: another message was accepted under the key ${operation.key}`);
  }

  async #changeMembership({ conversation, change, user }: Step & { kind: "membership" }): Promise<void> {
    const groupId = this.#conversation(conversation).slice(2);
    const { groups, userId } = this.#user;
    const other = this.#stage.users[user % this.#stage.users.length]?.userId ?? userId;
    if (!this.#conversation(conversation).startsWith("g_")) return;
    if (change === "leave") await groups.leaveGroup({ groupId });
    else if (change === "invite") await groups.inviteMembers({ groupId, userIds: [other] });
    else await groups.removeMember({ groupId, userId: other });
  }

  #next(conversation: number): Omit<Attempted, "tries"> {
    return saying(this.#user, this.#conversation(conversation), this.#text());
  }

  #text(): string {
    return `${this.#user.name} says ${++this.#said}`;
  }

  /** Mostly one of his own, or of which he may be a member. */
  #conversation(index: number): string {
    return conversationOf(this.#stage, this.#user, index);
  }

  /** Messages that were accepted, in this user's sight: those of his conversations. */
  #targets(): (Target & { readonly userId: string })[] {
    return this.#stage.recorder.operations.flatMap(({ conversationId, userId, fact, tries }) => {
      const accepted = tries.find(({ outcome }) => outcome.kind === "ok")?.outcome;
      if (fact.kind !== "message" || accepted?.kind !== "ok") return [];
      return [{ conversationId, userId, seq: accepted.seq, recordId: accepted.recordId }];
    });
  }

  #target(which: number, own: boolean): Target | undefined {
    const targets = this.#targets().filter(({ userId }) => !own || which % 8 === 0 || userId === this.#user.userId);
    // Mostly one of the last few, so that the same message is changed again and by others.
    return targets.at(-1 - (which % Math.min(5, Math.max(1, targets.length))));
  }
}
