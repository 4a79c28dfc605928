import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { UserMeshService } from "@oceanchat/gen/oceanchat/user/v1/user_mesh_service_pb";
import { DirectPolicy, PresencePolicy, type UserService } from "@oceanchat/gen/oceanchat/user/v1/user_service_pb";
import { callerOf, type Handlers } from "@oceanchat/runtime/handlers";
import type { UserCore } from "./core.ts";
import type { Profile, Settings } from "./ports.ts";

/** What clients may call. */
export const userHandlers = (core: UserCore): Handlers<typeof UserService> => ({
  async getMe(_, context) {
    return { user: userOf(await core.profile(callerOf(context).userId)) };
  },
  async updateMe({ displayName, avatarUrl, bio }, context) {
    const change = {
      ...(displayName === undefined ? {} : { displayName }),
      ...(avatarUrl === undefined ? {} : { avatarUrl }),
      ...(bio === undefined ? {} : { bio }),
    };
    return { user: userOf(await core.updateProfile(callerOf(context).userId, change)) };
  },
  async getSettings(_, context) {
    return { settings: settingsOf(await core.settings(callerOf(context).userId)) };
  },
  async updateSettings({ directPolicy, hideLastSeen, hideFromSearch, presencePolicy }, context) {
    const change: Partial<Settings> = {
      ...(directPolicy === undefined ? {} : { directPolicy: policyOf(directPolicy) }),
      ...(hideLastSeen === undefined ? {} : { hideLastSeen }),
      ...(hideFromSearch === undefined ? {} : { hideFromSearch }),
      ...(presencePolicy === undefined ? {} : { presencePolicy: presencePolicyOf(presencePolicy) }),
    };
    return { settings: settingsOf(await core.updateSettings(callerOf(context).userId, change)) };
  },
  async getUser({ userId }) {
    return { user: userOf(await core.profile(userId)) };
  },
  async batchGetUsers({ userIds }) {
    return { users: (await core.profilesOf(userIds)).map(userOf) };
  },
  async searchUsers(request) {
    const { users, nextPageToken } = await core.search(request.query, request);
    return { users: users.map(userOf), nextPageToken };
  },
});

/** What other services may call. */
export const userMeshHandlers = (core: UserCore): Handlers<typeof UserMeshService> => ({
  async checkDirect({ senderUserId, recipientUserId }) {
    return { verdict: (await core.checkDirect(senderUserId, recipientUserId)).verdict };
  },
  checkDirects: ({ senderUserId, recipientUserId }) => core.checkDirect(senderUserId, recipientUserId),
  async getDirectRevisions() {
    return { revisions: [...(await core.directRevisions())] };
  },
  async checkPresence({ questions }) {
    const pairs = questions.map(({ viewerUserId, userId }) => ({ a: viewerUserId, b: userId }));
    return { verdicts: await core.checkPresence(pairs) };
  },
  async areFriends({ userId, otherUserIds }) {
    return { friendUserIds: await core.friendsAmong(userId, otherUserIds) };
  },
  async batchGetProfiles({ userIds }) {
    return { users: (await core.profilesOf(userIds)).map(userOf) };
  },
  async createProfile(request) {
    return { user: userOf(await core.createProfile(request)) };
  },
});

function userOf({ createTime, ...rest }: Profile) {
  return { ...rest, createTime: timestampFromDate(createTime) };
}

const policyOf = (policy: DirectPolicy) => (policy === DirectPolicy.FRIENDS ? "friends" : "everyone");

function presencePolicyOf(policy: PresencePolicy): Settings["presencePolicy"] {
  if (policy === PresencePolicy.NOBODY) return "nobody";
  return policy === PresencePolicy.FRIENDS ? "friends" : "everyone";
}

const PRESENCE_POLICIES: Readonly<Record<Settings["presencePolicy"], PresencePolicy>> = {
  everyone: PresencePolicy.EVERYONE,
  friends: PresencePolicy.FRIENDS,
  nobody: PresencePolicy.NOBODY,
};

function settingsOf({ directPolicy, presencePolicy, ...rest }: Settings) {
  return {
    ...rest,
    directPolicy: directPolicy === "friends" ? DirectPolicy.FRIENDS : DirectPolicy.EVERYONE,
    presencePolicy: PRESENCE_POLICIES[presencePolicy],
  };
}
