import { type Argon2Parameters, argon2, randomBytes, timingSafeEqual } from "node:crypto";
import { shared } from "@oceanchat/runtime/fail";
import type { PasswordHasher } from "./ports.ts";

/** OWASP's minimum for argon2id. */
const MEMORY_KIB = 19_456;
const PASSES = 2;
const PARALLELISM = 1;
const SALT_BYTES = 16;
const HASH_BYTES = 32;
const PHC = /^\$argon2id\$v=19\$m=(\d{1,7}),t=(\d{1,2}),p=(\d{1,2})\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)$/;

type Parameters = Omit<Argon2Parameters, "message">;

/** Computes argon2id; a parameter of its own so that a test can count. */
export type Argon2id = (parameters: Argon2Parameters) => Promise<Buffer>;

/**
 * Hashes passwords with argon2id, at most `atOnce` at once; as many again wait, more are refused with OVERLOADED. Each
 * takes 19 MiB and about 30 ms of a core in libuv's pool, which has four threads unless UV_THREADPOOL_SIZE says otherwise.
 */
export function createPasswordHasher(atOnce: number, compute: Argon2id = argon2id): PasswordHasher {
  const lanes = new Lanes(atOnce, atOnce);
  const derive = async (password: string, parameters: Parameters) =>
    lanes.run(() => compute({ ...parameters, message: password.normalize("NFC") }));
  const dummy = phc(fresh(), randomBytes(HASH_BYTES));
  return {
    async hash(password) {
      const parameters = fresh();
      return phc(parameters, await derive(password, parameters));
    },
    async verify(password, stored) {
      const { parameters, expected } = parsePhc(stored ?? dummy);
      const equal = timingSafeEqual(await derive(password, parameters), expected);
      if (!equal || stored === undefined) return "wrong";
      return isToday(parameters) ? "right" : "outdated";
    },
  };
}

function fresh(): Parameters {
  return {
    nonce: randomBytes(SALT_BYTES),
    memory: MEMORY_KIB,
    passes: PASSES,
    parallelism: PARALLELISM,
    tagLength: HASH_BYTES,
  };
}

const isToday = ({ memory, passes, parallelism, tagLength }: Parameters) =>
  memory === MEMORY_KIB && passes === PASSES && parallelism === PARALLELISM && tagLength === HASH_BYTES;

const argon2id: Argon2id = (parameters) =>
  new Promise((resolve, reject) => {
    argon2("argon2id", parameters, (error, hash) => (error === null ? resolve(hash) : reject(error)));
  });

const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString("base64").replaceAll("=", "");

function phc({ memory, passes, parallelism, nonce }: Parameters, hash: Uint8Array): string {
  const salt = base64(nonce as Uint8Array);
  return `$argon2id$v=19$m=${memory},t=${passes},p=${parallelism}$${salt}$${base64(hash)}`;
}

function parsePhc(text: string): { parameters: Parameters; expected: Buffer } {
  const [, memory, passes, parallelism, salt = "", hash = ""] = PHC.exec(text) ?? [];
  if (memory === undefined) throw new Error("a stored password hash is not a PHC string of argon2id");
  const expected = Buffer.from(hash, "base64");
  return {
    parameters: {
      nonce: Buffer.from(salt, "base64"),
      memory: Number(memory),
      passes: Number(passes),
      parallelism: Number(parallelism),
      tagLength: expected.length,
    },
    expected,
  };
}

/** Runs so many at once, lets so many wait in order, refuses the rest. */
class Lanes {
  readonly #waiting: (() => void)[] = [];
  readonly #maxWaiting: number;
  #free: number;

  constructor(atOnce: number, maxWaiting: number) {
    this.#free = atOnce;
    this.#maxWaiting = maxWaiting;
  }

  async run<T>(task: () => Promise<T>): Promise<T> {
    await this.#enter();
    try {
      return await task();
    } finally {
      this.#leave();
    }
  }

  #enter(): Promise<void> | undefined {
    if (this.#free > 0) {
      this.#free--;
      return undefined;
    }
    if (this.#waiting.length >= this.#maxWaiting) throw shared.overloaded("too many passwords are being hashed");
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #leave(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#free++;
    else next();
  }
}
