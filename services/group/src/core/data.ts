import { shared } from "@oceanchat/runtime/fail";
import type { DataChange, Group, Origin, Settings } from "../ports.ts";
import { checkKnown, managerIn } from "./caller.ts";
import { changeGroup, dataChange } from "./change.ts";
import type { GroupContext } from "./context.ts";

/** What of a group is to be different; absent fields stay. */
export interface GroupUpdate {
  readonly groupId: string;
  readonly name?: string;
  readonly avatarUrl?: string;
  /** All of them. */
  readonly settings?: Settings;
  readonly mutedAll?: boolean;
}

/** Changes a group's own data. Each change is a record of the log; what is so already makes none. */
export async function updateGroup(
  context: GroupContext,
  callerId: string,
  { groupId, ...update }: GroupUpdate,
  origin: Origin,
): Promise<Group> {
  const name = update.name?.trim();
  if (name === "") throw shared.invalidFields([{ field: "name", description: "must not be blank" }]);
  const wanted = name === undefined ? update : { ...update, name };
  await checkKnown(context, groupId, callerId);
  return changeGroup(context, groupId, origin, async (group) => {
    await managerIn(context, group, callerId);
    const different = differenceTo(group, wanted);
    return Object.keys(different).length === 0 ? undefined : dataChange(context, callerId, different);
  });
}

function differenceTo(group: Group, wanted: Omit<GroupUpdate, "groupId">): Omit<DataChange, "kind"> {
  const { name, avatarUrl, settings, mutedAll } = wanted;
  const changed = settings === undefined ? {} : changedSettings(group.settings, settings);
  return {
    ...(name === undefined || name === group.name ? {} : { name }),
    ...(avatarUrl === undefined || avatarUrl === group.avatarUrl ? {} : { avatarUrl }),
    ...(mutedAll === undefined || mutedAll === group.mutedAll ? {} : { mutedAll }),
    ...(Object.keys(changed).length === 0 ? {} : { settings: changed }),
  };
}

function changedSettings(now: Settings, wanted: Settings): Partial<Settings> {
  const { joinPolicy, membersMayInvite, membersMayMentionAll, openHistory } = wanted;
  return {
    ...(joinPolicy === now.joinPolicy ? {} : { joinPolicy }),
    ...(membersMayInvite === now.membersMayInvite ? {} : { membersMayInvite }),
    ...(membersMayMentionAll === now.membersMayMentionAll ? {} : { membersMayMentionAll }),
    ...(openHistory === now.openHistory ? {} : { openHistory }),
  };
}
