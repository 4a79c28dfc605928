import { type MongoOptions, openMongo } from "@oceanchat/runtime/mongo";
import type { AccountStore, SessionStore } from "./ports.ts";
import type { SigningKeyStore } from "./signing-keys.ts";
import { openAccounts } from "./store/accounts.ts";
import { openSessions } from "./store/sessions.ts";
import { openSigningKeys } from "./store/signing-keys.ts";

/** Everything that auth owns. */
export interface AuthStore {
  readonly accounts: AccountStore;
  readonly sessions: SessionStore;
  readonly signingKeys: SigningKeyStore;
  close(): Promise<void>;
}

/** Connects and makes sure of the indexes. */
export const openStore = (options: MongoOptions): Promise<AuthStore> =>
  openMongo(options, async (db) => {
    const [accounts, sessions] = await Promise.all([openAccounts(db), openSessions(db)]);
    return { accounts, sessions, signingKeys: openSigningKeys(db) };
  });
