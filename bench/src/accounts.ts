import { createPrivateKey, type KeyObject, randomUUID, sign } from "node:crypto";
import { type Db, type Document, MongoClient } from "mongodb";
import { registerUser, type User } from "./users.ts";

/** Where the accounts are made. */
export interface AccountsTarget {
  readonly edge: string;
  readonly mongodb: string;
  readonly database: string;
}

/** What the first user left in the store, and what his token says. */
interface Pattern {
  readonly account: Document;
  readonly profile: Document;
  readonly session: Document;
  readonly header: Document;
  readonly claims: Document;
  readonly key: KeyObject;
}

const BATCH = 1_000;
const TOKEN_SECONDS = 4 * 3600;

/**
 * Makes users by the thousand. The first registers through the edge like anybody; the others are copies of the documents that this
 * left (account, profile, session) under ids of their own, with tokens signed by the installation's key: hashing 10,000 passwords
 * would take minutes and measure nothing. All have the same password. Needs a store that keeps the signing key.
 */
export async function makeUsers(target: AccountsTarget, count: number): Promise<User[]> {
  const first = await registerUser(target.edge);
  if (count <= 1) return [first].slice(0, count);
  const client = await MongoClient.connect(target.mongodb, { ignoreUndefined: true });
  try {
    const db = client.db(target.database);
    const pattern = await patternOf(db, first);
    const users: User[] = [];
    while (users.length < count) users.push(...(await copy(db, pattern, Math.min(BATCH, count - users.length))));
    return users;
  } finally {
    await client.close();
  }
}

async function patternOf(db: Db, { userId, token }: User): Promise<Pattern> {
  const [header = {}, claims = {}] = token
    .split(".")
    .slice(0, 2)
    .map((part): Document => JSON.parse(Buffer.from(part, "base64url").toString()));
  const one = async (collection: string, filter: Document): Promise<Document> => {
    const found = await db.collection<Document>(collection).findOne(filter);
    if (found === null)
      throw new Error(`${collection} has nothing for ${JSON.stringify(filter)}: is this the mesh's own store?`);
    return found;
  };
  const { privateJwk } = await one("signing_keys", { kid: header.kid });
  const key = createPrivateKey({ key: privateJwk, format: "jwk" });
  const account = await one("accounts", { _id: userId });
  const profile = await one("profiles", { _id: userId });
  const session = await one("sessions", { _id: claims.sid });
  return { account, profile, session, header, claims, key };
}

async function copy(db: Db, pattern: Pattern, count: number): Promise<User[]> {
  const people = Array.from({ length: count }, () => {
    const userId = newId();
    return { userId, sessionId: newId(), deviceId: randomUUID(), username: `bench-${userId.slice(-18)}` };
  });
  const { account, profile, session } = pattern;
  const insert = (collection: string, documents: Document[]) => db.collection(collection).insertMany(documents);
  await Promise.all([
    insert(
      "accounts",
      people.map(({ userId, username }) => ({ ...account, _id: userId, username })),
    ),
    insert(
      "profiles",
      people.map(({ userId, username }) => ({ ...profile, _id: userId, username })),
    ),
    insert(
      "sessions",
      people.map(({ userId, sessionId, deviceId }) => ({ ...session, _id: sessionId, userId, deviceId })),
    ),
  ]);
  return people.map(({ userId, sessionId, deviceId }) => ({
    userId,
    token: tokenOf(pattern, { sub: userId, sid: sessionId, did: deviceId }),
  }));
}

function tokenOf({ header, claims, key }: Pattern, who: Document): string {
  const iat = Math.floor(Date.now() / 1000);
  const payload = { ...claims, ...who, iat, exp: iat + TOKEN_SECONDS, jti: randomUUID() };
  const text = [header, payload].map((part) => Buffer.from(JSON.stringify(part)).toString("base64url")).join(".");
  return `${text}.${sign("sha256", Buffer.from(text), { key, dsaEncoding: "ieee-p1363" }).toString("base64url")}`;
}

/** A UUIDv7, as the services make them. */
function newId(): string {
  const time = Date.now().toString(16).padStart(12, "0");
  return `${time.slice(0, 8)}-${time.slice(8)}-7${randomUUID().slice(15)}`;
}
