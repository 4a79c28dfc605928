import { reading } from "@oceanchat/runtime/mongo";
import type { Collection, Db } from "mongodb";
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
    async isBlocked(a, b) {
      const either = { _id: { $in: [`${a}:${b}`, `${b}:${a}`] } };
      return (await reading(() => blocks.findOne(either, { projection: { _id: 1 } }))) !== null;
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

const pairOf = (a: string, b: string) => (a < b ? `${a}:${b}` : `${b}:${a}`);
