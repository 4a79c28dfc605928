import { isDuplicate, reading, writing } from "@oceanchat/runtime/mongo";
import type { Collection, Db } from "mongodb";
import type { Account, AccountStore } from "../ports.ts";

interface AccountDocument extends Omit<Account, "userId"> {
  readonly _id: string;
}

/** The collection `accounts`. */
export async function openAccounts(db: Db): Promise<AccountStore> {
  const accounts: Collection<AccountDocument> = db.collection("accounts");
  await accounts.createIndex({ username: 1 }, { unique: true });
  const find = async (filter: { readonly _id: string } | { readonly username: string }) => {
    const found = await reading(() => accounts.findOne(filter));
    return found === null ? undefined : accountOf(found);
  };
  return {
    accountByUsername: (username) => find({ username }),
    accountById: (userId) => find({ _id: userId }),
    async createAccount({ userId, ...rest }) {
      try {
        await writing(() => accounts.insertOne({ _id: userId, ...rest }));
        return true;
      } catch (error) {
        if (isDuplicate(error)) return false;
        throw error;
      }
    },
    async replacePasswordHash(userId, from, to) {
      const change = { $set: { passwordHash: to } };
      const { matchedCount } = await writing(() => accounts.updateOne({ _id: userId, passwordHash: from }, change));
      return matchedCount === 1;
    },
    async profileCreated(userId) {
      await writing(() => accounts.updateOne({ _id: userId }, { $unset: { pending: "" } }));
    },
  };
}

function accountOf({ _id, ...rest }: AccountDocument): Account {
  return { userId: _id, ...rest };
}
