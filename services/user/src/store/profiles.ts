import { isDuplicate, reading, writing } from "@oceanchat/runtime/mongo";
import type { Collection, Db, Filter } from "mongodb";
import type { DisplayNamePlace, Profile, ProfileChange, ProfileStore, Settings } from "../ports.ts";
import { searchKey } from "../search-key.ts";

/** Profiles that were made before there was a presence policy have none. */
type SettingsDocument = Omit<Settings, "presencePolicy"> & Partial<Pick<Settings, "presencePolicy">>;

interface ProfileDocument extends Omit<Profile, "userId">, SettingsDocument {
  readonly _id: string;
  /** What the display name is found by. */
  readonly displayNameKey: string;
}

type Profiles = Collection<ProfileDocument>;

const SETTINGS = { directPolicy: 1, hideLastSeen: 1, hideFromSearch: 1, presencePolicy: 1 } as const;

/** The collection `profiles`: a user's profile and personal settings. */
export async function openProfiles(db: Db): Promise<ProfileStore> {
  const profiles: Profiles = db.collection("profiles");
  await profiles.createIndexes([{ key: { username: 1 } }, { key: { displayNameKey: 1, _id: 1 } }]);
  return {
    createProfile: (profile) => create(profiles, profile),
    async profiles(userIds) {
      const found = await reading(() => profiles.find({ _id: { $in: [...new Set(userIds)] } }).toArray());
      return found.map(profileOf);
    },
    async updateProfile(userId, change) {
      const found = await update(profiles, userId, changeOf(change));
      return found === null ? undefined : profileOf(found);
    },
    async settings(userId) {
      const found = await reading(() => profiles.findOne({ _id: userId }));
      return found === null ? undefined : settingsOf(found);
    },
    async settingsOf(userIds) {
      if (userIds.length === 0) return new Map();
      const found = await reading(() =>
        profiles.find({ _id: { $in: [...new Set(userIds)] } }, { projection: SETTINGS }).toArray(),
      );
      return new Map(found.map((document) => [document._id, settingsOf(document)]));
    },
    async updateSettings(userId, change) {
      const found = await update(profiles, userId, change);
      return found === null ? undefined : settingsOf(found);
    },
    byUsername: (prefix, afterUsername, limit) =>
      search(profiles, { username: { ...beginsWith(prefix), $gt: afterUsername } }, { username: 1 }, limit),
    byDisplayName: (prefix, after, limit) =>
      search(profiles, displayNameFilter(prefix, after), { displayNameKey: 1, _id: 1 }, limit),
  };
}

async function create(profiles: Profiles, { userId, ...rest }: Profile): Promise<Profile> {
  const known = await reading(() => profiles.findOne({ _id: userId }));
  if (known !== null) return profileOf(known);
  const document: ProfileDocument = {
    _id: userId,
    ...rest,
    displayNameKey: searchKey(rest.displayName),
    directPolicy: "everyone",
    hideLastSeen: false,
    hideFromSearch: false,
    presencePolicy: "everyone",
  };
  try {
    await writing(() => profiles.insertOne(document));
    return profileOf(document);
  } catch (error) {
    if (!isDuplicate(error)) throw error;
    return create(profiles, { userId, ...rest }); // now it is there
  }
}

function changeOf(change: ProfileChange): Partial<ProfileDocument> {
  if (change.displayName === undefined) return change;
  return { ...change, displayNameKey: searchKey(change.displayName) };
}

async function update(profiles: Profiles, userId: string, change: Partial<ProfileDocument>) {
  const fields = Object.entries(change).filter(([, value]) => value !== undefined);
  if (fields.length === 0) return reading(() => profiles.findOne({ _id: userId }));
  return writing(() =>
    profiles.findOneAndUpdate({ _id: userId }, { $set: Object.fromEntries(fields) }, { returnDocument: "after" }),
  );
}

async function search(
  profiles: Profiles,
  filter: Filter<ProfileDocument>,
  sort: Record<string, 1>,
  limit: number,
): Promise<Profile[]> {
  const found = await reading(() =>
    profiles
      .find({ ...filter, hideFromSearch: false })
      .sort(sort)
      .limit(limit)
      .toArray(),
  );
  return found.map(profileOf);
}

/** A range and no pattern: nothing in a query can be taken for an operator, and the index is used. */
const beginsWith = (prefix: string) => ({ $gte: prefix, $lt: `${prefix}\u{10ffff}` });

function displayNameFilter(prefix: string, after: DisplayNamePlace | undefined): Filter<ProfileDocument> {
  const filter = { displayNameKey: beginsWith(prefix), username: { $not: beginsWith(prefix) } };
  if (after === undefined) return filter;
  const { displayNameKey, userId } = after;
  return { ...filter, $or: [{ displayNameKey: { $gt: displayNameKey } }, { displayNameKey, _id: { $gt: userId } }] };
}

function profileOf({ _id, username, displayName, avatarUrl, bio, createTime }: ProfileDocument): Profile {
  return { userId: _id, username, displayName, avatarUrl, bio, createTime };
}

function settingsOf({ directPolicy, hideLastSeen, hideFromSearch, presencePolicy }: SettingsDocument): Settings {
  return { directPolicy, hideLastSeen, hideFromSearch, presencePolicy: presencePolicy ?? "everyone" };
}
