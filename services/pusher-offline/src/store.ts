import { isDuplicate, type MongoOptions, openMongo, reading, writing } from "@oceanchat/runtime/mongo";
import type { Db } from "mongodb";
import type { Decision, ProviderName, PushStore, RegisteredToken } from "./ports.ts";

const TOKENS = "push_tokens";
const DECISIONS = "push_decisions";
/** ExplainPush answers for this long. */
const DECISIONS_KEPT_SECONDS = 7 * 24 * 3_600;
/** Read at most, on average; the core lets a user have fewer. */
const TOKENS_PER_USER = 100;

interface TokenDocument {
  readonly _id: string;
  readonly userId: string;
  readonly deviceId: string;
  readonly provider: ProviderName;
  readonly token: string;
  readonly createTime: Date;
}

interface DecisionDocument {
  /** `<recordId>:<userId>:<tokenId>`. */
  readonly _id: string;
  readonly recordId: string;
  readonly tokenId: string;
  readonly userId: string;
  readonly deviceId: string;
  readonly decision: string;
  readonly detail: string;
  readonly decidedTime: Date;
}

/** The store with its connection. */
export interface MongoPushStore extends PushStore {
  close(): Promise<void>;
}

/** Connects and makes the indexes. */
export const openStore = (options: MongoOptions): Promise<MongoPushStore> => openMongo(options, storeOver);

async function storeOver(db: Db): Promise<PushStore> {
  const tokens = db.collection<TokenDocument>(TOKENS);
  const decisions = db.collection<DecisionDocument>(DECISIONS);
  await tokens.createIndexes([{ key: { userId: 1 } }]);
  await decisions.createIndexes([
    { key: { userId: 1, recordId: 1 } },
    { key: { decidedTime: 1 }, expireAfterSeconds: DECISIONS_KEPT_SECONDS },
  ]);
  return {
    async register(token) {
      const { tokenId, userId, deviceId, provider } = token;
      // By _id: whoever held this token before has lost it in the same write.
      await writing(() => tokens.replaceOne({ _id: tokenId }, tokenDocument(token), { upsert: true }));
      await writing(() => tokens.deleteMany({ userId, deviceId, provider, _id: { $ne: tokenId } }));
    },
    async tokensOf(userIds) {
      const found = tokens.find({ userId: { $in: [...userIds] } }).limit(TOKENS_PER_USER * userIds.length);
      return (await reading(() => found.toArray())).map(tokenOf);
    },
    async token(tokenId) {
      const found = await reading(() => tokens.findOne({ _id: tokenId }));
      return found === null ? undefined : tokenOf(found);
    },
    async remove(userId, tokenId) {
      await writing(() => tokens.deleteOne({ _id: tokenId, userId }));
    },
    async removeInvalid(tokenId, registeredBeforeMs) {
      const createTime = { $lte: new Date(registeredBeforeMs) };
      await writing(() => tokens.deleteOne({ _id: tokenId, createTime }));
    },
    async claim(decision) {
      try {
        await writing(() => decisions.insertOne(decisionDocument(decision)));
        return undefined;
      } catch (error) {
        if (!isDuplicate(error)) throw error;
      }
      const earlier = await reading(() => decisions.findOne({ _id: idOf(decision) }));
      return earlier === null ? undefined : decisionOf(earlier);
    },
    async decide(decision) {
      await writing(() => decisions.replaceOne({ _id: idOf(decision) }, decisionDocument(decision), { upsert: true }));
    },
    async decisions(userId, recordId) {
      const found = await reading(() =>
        decisions.find({ userId, recordId }).sort({ decidedTime: 1 }).limit(100).toArray(),
      );
      return found.map(decisionOf);
    },
  };
}

const idOf = ({ recordId, userId, tokenId }: Decision) => `${recordId}:${userId}:${tokenId}`;

function tokenDocument({ tokenId, createdAtMs, ...rest }: RegisteredToken): TokenDocument {
  return { _id: tokenId, ...rest, createTime: new Date(createdAtMs) };
}

function tokenOf({ _id, createTime, userId, deviceId, provider, token }: TokenDocument): RegisteredToken {
  return { tokenId: _id, userId, deviceId, provider, token, createdAtMs: createTime.getTime() };
}

function decisionDocument({ decidedAtMs, ...rest }: Decision): DecisionDocument {
  return { _id: idOf({ decidedAtMs, ...rest }), ...rest, decidedTime: new Date(decidedAtMs) };
}

function decisionOf({
  decidedTime,
  recordId,
  tokenId,
  userId,
  deviceId,
  decision,
  detail,
}: DecisionDocument): Decision {
  return { recordId, tokenId, userId, deviceId, decision, detail, decidedAtMs: decidedTime.getTime() };
}
