import { shared } from "@oceanchat/runtime/fail";
import { MongoClient, MongoServerError } from "mongodb";
import type { Decision, ProviderName, PushStore, RegisteredToken } from "./ports.ts";

const TOKENS = "push_tokens";
const DECISIONS = "push_decisions";
/** ExplainPush answers for this long. */
const DECISIONS_KEPT_SECONDS = 7 * 24 * 3_600;
const DUPLICATE_KEY = 11_000;

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
export async function openStore(url: string, database: string): Promise<MongoPushStore> {
  const client = new MongoClient(url, {
    useBigInt64: true,
    maxPoolSize: 20,
    serverSelectionTimeoutMS: 5_000,
    writeConcern: { w: "majority", journal: true },
  });
  const db = client.db(database);
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
      await tokens.replaceOne({ _id: tokenId }, tokenDocument(token), { upsert: true }).catch(unreachable);
      await tokens.deleteMany({ userId, deviceId, provider, _id: { $ne: tokenId } }).catch(unreachable);
    },
    tokensOf: async (userId) => (await tokens.find({ userId }).limit(100).toArray().catch(unreachable)).map(tokenOf),
    async token(tokenId) {
      const found = await tokens.findOne({ _id: tokenId }).catch(unreachable);
      return found === null ? undefined : tokenOf(found);
    },
    async remove(userId, tokenId) {
      await tokens.deleteOne({ _id: tokenId, userId }).catch(unreachable);
    },
    async removeInvalid(tokenId, registeredBeforeMs) {
      const createTime = { $lte: new Date(registeredBeforeMs) };
      await tokens.deleteOne({ _id: tokenId, createTime }).catch(unreachable);
    },
    async claim(decision) {
      try {
        await decisions.insertOne(decisionDocument(decision));
        return undefined;
      } catch (error) {
        if (!(error instanceof MongoServerError && error.code === DUPLICATE_KEY)) throw unreachable(error);
      }
      const earlier = await decisions.findOne({ _id: idOf(decision) }).catch(unreachable);
      return earlier === null ? undefined : decisionOf(earlier);
    },
    async decide(decision) {
      await decisions
        .replaceOne({ _id: idOf(decision) }, decisionDocument(decision), { upsert: true })
        .catch(unreachable);
    },
    async decisions(userId, recordId) {
      const found = await decisions
        .find({ userId, recordId })
        .sort({ decidedTime: 1 })
        .limit(100)
        .toArray()
        .catch(unreachable);
      return found.map(decisionOf);
    },
    close: () => client.close(),
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

function unreachable(error: unknown): never {
  throw shared.unavailable("push tokens and decisions can't be read or written", error);
}
