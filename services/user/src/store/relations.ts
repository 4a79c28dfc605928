import { reading } from "@oceanchat/runtime/mongo";
import type { Collection, Db, Filter } from "mongodb";
import type { RelationStore } from "../ports.ts";

/** Who blocks whom; `_id` is `<userId>:<blockedUserId>`. */
interface BlockDocument {
  readonly _id: string;
  readonly userId: string;
  readonly blockedUserId: string;
  readonly createTime: Date;
}

/** One document per pair, so that a friendship begins and ends for both at once; `_id` is `<lower id>:<higher id>`. */
interface FriendshipDocument {
  readonly _id: string;
  readonly userIds: readonly string[];
  readonly createTime: Date;
}

/** The collections `blocks` and `friendships`. */
export function openRelations(db: Db): RelationStore {
  const blocks: Collection<BlockDocument> = db.collection("blocks");
  const friendships: Collection<FriendshipDocument> = db.collection("friendships");
  return {
    async blockedPairs(pairs) {
      const ids = pairs.flatMap(({ a, b }) => [`${a}:${b}`, `${b}:${a}`]);
      const found = await idsAmong(blocks, ids);
      return new Set(pairs.filter(({ a, b }) => found.has(`${a}:${b}`) || found.has(`${b}:${a}`)));
    },
    async friendPairs(pairs) {
      const found = await idsAmong(
        friendships,
        pairs.map(({ a, b }) => pairOf(a, b)),
      );
      return new Set(pairs.filter(({ a, b }) => found.has(pairOf(a, b))));
    },
    async friendsAmong(userId, others) {
      const pairs = new Map(others.map((other) => [pairOf(userId, other), other]));
      const found = await reading(() =>
        friendships.find({ _id: { $in: [...pairs.keys()] } }, { projection: { _id: 1 } }).toArray(),
      );
      return found.flatMap(({ _id }) => pairs.get(_id) ?? []);
    },
  };
}

/** Which of the ids are there, by one read. */
async function idsAmong<T extends { readonly _id: string }>(
  collection: Collection<T>,
  ids: readonly string[],
): Promise<ReadonlySet<string>> {
  if (ids.length === 0) return new Set();
  const filter = { _id: { $in: [...new Set(ids)] } } as Filter<T>;
  const found = await reading(() => collection.find(filter).project<{ _id: string }>({ _id: 1 }).toArray());
  return new Set(found.map(({ _id }) => _id));
}

const pairOf = (a: string, b: string) => (a < b ? `${a}:${b}` : `${b}:${a}`);
