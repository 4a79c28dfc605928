import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  hash,
  hkdfSync,
  type JsonWebKey,
  type KeyObject,
} from "node:crypto";
import type { PublicKey } from "./ports.ts";

/** The key that signs, and all that are published. */
export interface SigningKeys {
  readonly kid: string;
  readonly privateKey: KeyObject;
  readonly published: readonly PublicKey[];
  /** What refresh tokens are made with; follows from the private key, so that every instance has it and nobody stores it. */
  readonly refreshSecret: Uint8Array;
}

/** A key pair as the store keeps it. */
export interface StoredKey {
  /** 1 for the first, 2 for its successor: two instances that make the same one collide. */
  readonly slot: number;
  readonly kid: string;
  readonly privateJwk: JsonWebKey;
  readonly publicJwk: PublicKey;
  readonly createTime: Date;
  /** When it begins to sign; published before. */
  readonly signFrom: Date;
}

export interface SigningKeyStore {
  signingKeys(): Promise<StoredKey[]>;
  /** False when another instance has filled the slot. */
  addSigningKey(key: StoredKey): Promise<boolean>;
}

const PEM_BLOCK = /-----BEGIN ([A-Z ]+)-----[\s\S]+?-----END \1-----/g;

/** The keys of OCEANCHAT_SIGNING_KEY_FILE. */
export function signingKeysFromPem(pem: string): SigningKeys {
  const blocks = [...pem.matchAll(PEM_BLOCK)].filter(([, label = ""]) => label.endsWith(" KEY"));
  const [first] = blocks;
  if (first === undefined) throw new Error("OCEANCHAT_SIGNING_KEY_FILE holds no key in PEM");
  const privateKey = privateKeyOf(first[0]);
  return signingKeys(
    privateKey,
    blocks.map(([block]) => publicKeyOf(createPublicKey(block))),
  );
}

function privateKeyOf(pem: string): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch (cause) {
    throw new Error("OCEANCHAT_SIGNING_KEY_FILE: the first key must be a private key without a passphrase", { cause });
  }
}

/** The keys in the store; the first instance of an installation makes one. */
export async function signingKeysFromStore(store: SigningKeyStore, nowMs: number): Promise<SigningKeys> {
  let stored = await store.signingKeys();
  if (stored.length === 0) {
    await store.addSigningKey(firstKey(nowMs)); // or another instance has just done so: theirs counts then
    stored = await store.signingKeys();
  }
  const signing = stored.filter(({ signFrom }) => signFrom.getTime() <= nowMs).sort((a, b) => b.slot - a.slot)[0];
  if (signing === undefined) throw new Error("no signing key in the store may sign yet");
  const privateKey = createPrivateKey({ key: signing.privateJwk, format: "jwk" });
  return signingKeys(
    privateKey,
    stored.map(({ publicJwk }) => publicJwk),
  );
}

/** It signs from the beginning of time: there is no other, and the clock of another instance may be behind. */
function firstKey(nowMs: number): StoredKey {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const publicJwk = publicKeyOf(publicKey);
  const privateJwk = privateKey.export({ format: "jwk" });
  const createTime = new Date(nowMs);
  return { slot: 1, kid: publicJwk.kid, privateJwk, publicJwk, createTime, signFrom: new Date(0) };
}

function signingKeys(privateKey: KeyObject, published: readonly PublicKey[]): SigningKeys {
  const { kid } = publicKeyOf(createPublicKey(privateKey));
  const der = privateKey.export({ format: "der", type: "pkcs8" });
  const refreshSecret = new Uint8Array(hkdfSync("sha256", der, "", "oceanchat refresh tokens", 32));
  return { kid, privateKey, published, refreshSecret };
}

/** The key id is the thumbprint of RFC 7638: the same key has the same id wherever it comes from. */
function publicKeyOf(key: KeyObject): PublicKey {
  const { kty, crv, x, y } = key.export({ format: "jwk" });
  if (kty !== "EC" || crv !== "P-256" || x === undefined || y === undefined) {
    throw new Error("a signing key must be an EC key on P-256");
  }
  const kid = hash("sha256", JSON.stringify({ crv, kty, x, y }), "base64url");
  return { kty, crv, x, y, kid, alg: "ES256", use: "sig" };
}
