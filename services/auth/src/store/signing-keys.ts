import { isDuplicate, reading, writing } from "@oceanchat/runtime/mongo";
import type { Collection, Db } from "mongodb";
import type { SigningKeyStore, StoredKey } from "../signing-keys.ts";

interface KeyDocument extends Omit<StoredKey, "slot"> {
  readonly _id: number;
}

/** More keys than any rotation needs. */
const MAX_KEYS = 20;

/** The collection `signing_keys`: private keys in clear, so the database is as secret as they are. */
export function openSigningKeys(db: Db): SigningKeyStore {
  const keys: Collection<KeyDocument> = db.collection("signing_keys");
  return {
    async signingKeys() {
      const found = await reading(() => keys.find().sort({ _id: -1 }).limit(MAX_KEYS).toArray());
      return found.map(({ _id, ...rest }) => ({ slot: _id, ...rest }));
    },
    async addSigningKey({ slot, ...rest }) {
      try {
        await writing(() => keys.insertOne({ _id: slot, ...rest }));
        return true;
      } catch (error) {
        if (isDuplicate(error)) return false;
        throw error;
      }
    },
  };
}
