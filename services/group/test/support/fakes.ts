import { shared } from "@oceanchat/runtime/fail";
import type { GroupPorts } from "../../src/core/context.ts";
import type { NewGroup } from "../../src/core/create.ts";
import { createGroupCore } from "../../src/core.ts";
import type { Change, Conversations, Origin, Settings } from "../../src/ports.ts";
import { MemoryStore } from "./memory-store.ts";

/** A log that appends once per change; away while `away` is true. */
export class FakeConversations implements Conversations {
  /** By group; undefined is a message. */
  readonly logs = new Map<string, (Change | undefined)[]>();
  away = false;
  /** Thrown in place of appending. */
  refusal: Error | undefined;
  readonly attempts: number[] = [];

  async append({ groupId, change, attempt }: Parameters<Conversations["append"]>[0]) {
    this.attempts.push(attempt);
    if (this.away) throw shared.unavailable("message is away");
    if (this.refusal !== undefined) throw this.refusal;
    const log = this.#log(groupId);
    const known = log.findIndex((each) => each?.changeId === change.changeId);
    const seq = known >= 0 ? known + 1 : log.push(change);
    return { seq: BigInt(seq), time: new Date(seq * 1000) };
  }

  /** Somebody writes something. */
  say(groupId: string): bigint {
    return BigInt(this.#log(groupId).push(undefined));
  }

  /** The changes in a group's log, with their seqs. */
  changes(groupId: string): { readonly seq: bigint; readonly change: Change }[] {
    return this.#log(groupId).flatMap((change, i) => (change === undefined ? [] : [{ seq: BigInt(i + 1), change }]));
  }

  #log(groupId: string): (Change | undefined)[] {
    const log = this.logs.get(groupId) ?? [];
    this.logs.set(groupId, log);
    return log;
  }
}

export const origin: Origin = { traceparent: "", requestId: "r" };

/** The core on fakes: users a to z exist. `around` may put something in front of the ports. */
export function fakeGroups(maxMembers = 500, around: (ports: GroupPorts) => GroupPorts = (ports) => ports) {
  const store = new MemoryStore();
  const conversations = new FakeConversations();
  const clock = { ms: 1_000_000 };
  let ids = 0;
  const users = { unknown: async (asked: readonly string[]) => asked.filter((id) => !/^[a-z]$/.test(id)) };
  const ports: GroupPorts = {
    groups: store,
    members: store,
    users,
    conversations,
    now: () => clock.ms,
    pause: () => new Promise((resolve) => setImmediate(resolve)),
    newId: () => `id${++ids}`,
  };
  const newCore = (of: GroupPorts = ports) => createGroupCore(of, { maxMembers });
  return { core: newCore(around(ports)), store, conversations, clock, ports, newCore };
}

export const settings: Settings = {
  joinPolicy: "inviteOnly",
  membersMayInvite: true,
  membersMayMentionAll: false,
  openHistory: false,
};

export function request(init: Partial<NewGroup> = {}): NewGroup {
  return { name: "crew", memberIds: ["b", "c"], clientGroupId: "key", settings: undefined, ...init };
}
