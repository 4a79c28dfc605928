import { Status } from "@oceanchat/gen/oceanchat/presence/v1/presence_service_pb";
import { shared } from "@oceanchat/runtime/fail";
import type { Changes, Choice, LeftStore, StatusStore } from "../ports.ts";
import { type Statuses, visibleAt } from "./statuses.ts";

/** What changing a status needs. */
export interface SetStatusNeeds {
  readonly statusStore: StatusStore;
  readonly statuses: Statuses;
  readonly left: LeftStore;
  readonly changes: Changes;
  /** Whether a user has a live connection. */
  readonly isLive: (userId: string) => Promise<boolean>;
  readonly now: () => number;
}

/** Changes a user's status; refuses what can't be chosen. Repeating it changes nothing. */
export async function setStatus(needs: SetStatusNeeds, userId: string, choice: Choice): Promise<void> {
  const nowMs = needs.now();
  const checked = { ...choice, text: choice.text.trim() };
  refuseWrong(checked, nowMs);
  const seenMs = checked.status === Status.INVISIBLE ? await seenBeforeHiding(needs, userId, nowMs) : undefined;
  // Not this instance's old copy, should the outcome be unknown.
  needs.statuses.forget(userId);
  needs.statuses.changed(userId, await needs.statusStore.set(userId, checked, seenMs));
  await needs.changes.mark([userId]);
}

function refuseWrong({ status, expireMs }: Choice, nowMs: number): void {
  const violations = [];
  if (status === Status.OFFLINE) {
    violations.push({ field: "status", description: "offline can't be chosen; invisible looks like it" });
  }
  if (expireMs !== undefined && expireMs <= nowMs) {
    violations.push({ field: "expire_time", description: "must be in the future" });
  }
  if (violations.length > 0) throw shared.invalidFields(violations);
}

/** Whoever hides was last seen when he did; undefined when he was hidden or away already. */
async function seenBeforeHiding(needs: SetStatusNeeds, userId: string, nowMs: number): Promise<number | undefined> {
  const before = (await needs.statusStore.read([userId])).get(userId);
  if (before !== undefined && !visibleAt(before, nowMs)) return undefined;
  return (await needs.isLive(userId)) ? nowMs : (await needs.left.of([userId])).get(userId);
}
