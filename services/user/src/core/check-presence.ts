import { PresenceVerdict } from "@oceanchat/gen/oceanchat/user/v1/user_mesh_service_pb";
import type { Pair, ProfileStore, RelationStore, Settings } from "../ports.ts";

/** Who may see whether others are here: `a` looks at `b`. One verdict for each pair, in their order. */
export async function checkPresence(
  profiles: Pick<ProfileStore, "settingsOf">,
  relations: Pick<RelationStore, "blockedPairs" | "friendPairs">,
  pairs: readonly Pair[],
): Promise<PresenceVerdict[]> {
  const others = pairs.filter(({ a, b }) => a !== b);
  const [settings, blocked] = await Promise.all([
    profiles.settingsOf(others.map(({ b }) => b)),
    relations.blockedPairs(others),
  ]);
  const friendly = others.filter((pair) => settings.get(pair.b)?.presencePolicy === "friends" && !blocked.has(pair));
  const friends = await relations.friendPairs(friendly);
  return pairs.map((pair) => {
    if (pair.a === pair.b) return PresenceVerdict.ALL;
    const set = settings.get(pair.b);
    if (set === undefined || blocked.has(pair)) return PresenceVerdict.HIDDEN;
    return maySee(set, () => friends.has(pair)) ? visible(set) : PresenceVerdict.HIDDEN;
  });
}

function maySee({ presencePolicy }: Settings, areFriends: () => boolean): boolean {
  if (presencePolicy === "everyone") return true;
  return presencePolicy === "friends" && areFriends();
}

const visible = ({ hideLastSeen }: Settings) => (hideLastSeen ? PresenceVerdict.STATUS : PresenceVerdict.ALL);
