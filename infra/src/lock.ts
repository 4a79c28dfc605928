import { randomUUID } from "node:crypto";
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { identityLine, isAlive, parseIdentity } from "./process-identity.ts";

/** A folder that one living process owns. A dead owner's lock is taken over. */
export type Lock = { release(): Promise<void> };

export class LockHeldError extends Error {
  override readonly name = "LockHeldError";
  readonly ownerPid: number;

  constructor(path: string, ownerPid: number) {
    super(`${path} is held by process ${ownerPid}`);
    this.ownerPid = ownerPid;
  }
}

/** Takes the lock or throws LockHeldError. */
export async function acquireLock(path: string): Promise<Lock> {
  await mkdir(dirname(path), { recursive: true });
  for (let attempt = 0; attempt < 20; attempt++) {
    if (await tryCreate(path)) return { release: () => rm(path, { recursive: true, force: true }) };
    const owner = await ownerLine(path);
    if (owner === undefined) continue; // released in between
    const identity = parseIdentity(owner);
    if (identity !== undefined && isAlive(identity.pid, identity.startTime))
      throw new LockHeldError(path, identity.pid);
    await breakStale(path, owner);
  }
  throw new Error(`${path}: cannot take the lock; remove that folder if no other process uses it`);
}

/** Takes the lock, waiting for a living owner at most `timeoutMs`. */
export async function waitForLock(path: string, timeoutMs: number, onWait: (ownerPid: number) => void): Promise<Lock> {
  const deadline = Date.now() + timeoutMs;
  for (let told = false; ; told = true) {
    try {
      return await acquireLock(path);
    } catch (error) {
      if (!(error instanceof LockHeldError) || Date.now() > deadline) throw error;
      if (!told) onWait(error.ownerPid);
      await delay(200);
    }
  }
}

/** The living owner's pid, if there is one. */
export async function lockOwner(path: string): Promise<number | undefined> {
  const identity = parseIdentity((await ownerLine(path)) ?? "");
  return identity !== undefined && isAlive(identity.pid, identity.startTime) ? identity.pid : undefined;
}

// The owner is written before the folder gets its name, so a lock without an owner cannot exist.
async function tryCreate(path: string): Promise<boolean> {
  const draft = `${path}.${randomUUID()}`;
  await mkdir(draft);
  await writeFile(join(draft, "owner"), identityLine(process.pid));
  try {
    await rename(draft, path);
    return true;
  } catch (error) {
    await rm(draft, { recursive: true, force: true });
    if (hasCode(error, "ENOTEMPTY") || hasCode(error, "EEXIST")) return false;
    throw error;
  }
}

// Renaming away is what decides between two that saw the same dead owner; a living owner's lock is put back.
async function breakStale(path: string, seen: string): Promise<void> {
  const aside = `${path}.${randomUUID()}`;
  try {
    await rename(path, aside);
  } catch (error) {
    if (hasCode(error, "ENOENT")) return;
    throw error;
  }
  if ((await ownerLine(aside)) !== seen) await rename(aside, path);
  else await rm(aside, { recursive: true, force: true });
}

async function ownerLine(path: string): Promise<string | undefined> {
  try {
    return await readFile(join(path, "owner"), "utf8");
  } catch (error) {
    if (hasCode(error, "ENOENT")) return undefined;
    throw error;
  }
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}
