import type { MembershipBody } from "@oceanchat/gen/oceanchat/records/v1/record_pb";

/** The members before a change, from those after it. What the list didn't know yet is undone without effect. */
export function membersBefore(userIds: readonly string[], change: MembershipBody): readonly string[] {
  return changed(userIds, [...change.left, ...change.removed], change.joined);
}

/** The members after a change. */
export function membersAfter(userIds: readonly string[], change: MembershipBody): readonly string[] {
  return changed(userIds, change.joined, [...change.left, ...change.removed]);
}

/** Who sees a change: who came gets it as the first record, who left or was removed as the last. */
export function witnessesOf(userIds: readonly string[], change: MembershipBody): readonly string[] {
  return changed(userIds, [...change.joined, ...change.left, ...change.removed], []);
}

/** The same array when nothing changes. */
function changed(userIds: readonly string[], come: readonly string[], go: readonly string[]): readonly string[] {
  if (come.length === 0 && go.length === 0) return userIds;
  const members = new Set(userIds);
  for (const userId of come) members.add(userId);
  for (const userId of go) members.delete(userId);
  return [...members].sort();
}
