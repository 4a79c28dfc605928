import { readFile, stat } from "node:fs/promises";
import type { Logger } from "pino";

/** The largest file that is read, in bytes. */
const MAX_BYTES = 32 * 1024 * 1024;

/** A file of words and what is done with its text. */
export interface WordListFile {
  readonly path: string;
  /** How often it is looked at, in milliseconds. */
  readonly everyMs: number;
  readonly log: Logger;
  /** Takes the text into use and returns how many rules it has; throws when it can't be. */
  use(text: string): number;
}

/**
 * Takes the file into use, and again whenever it has changed, also when it is replaced by another as Kubernetes does. Rejects when
 * that fails at first; later the old list stays, and the log says why. Returns the function that ends it.
 */
export async function followWordList(file: WordListFile): Promise<() => void> {
  const { path, everyMs, log } = file;
  const isNew = newVersions(await versionOf(path));
  log.info({ path, rules: file.use(await textOf(path)) }, "the list of sensitive words is in use");
  const look = async () => {
    try {
      if (!isNew(await versionOf(path))) return;
      log.info({ path, rules: file.use(await textOf(path)) }, "the list of sensitive words is replaced");
    } catch (error) {
      log.error({ err: error, path }, "the list of sensitive words can't be replaced; the old one stays");
    }
  };
  const timer = setInterval(() => void look(), everyMs);
  return () => clearInterval(timer);
}

/**
 * Says whether what one look after the other sees of the file is to be taken into use: once for each version, also for one that can't
 * be used, and not before it has stayed from one look to the next. Whoever writes into the file empties it first.
 */
export function newVersions(inUse: string): (version: string) => boolean {
  let known = inUse;
  let seen = inUse;
  return (version) => {
    const isNew = version !== known && version === seen;
    if (isNew) known = version;
    seen = version;
    return isNew;
  };
}

async function versionOf(path: string): Promise<string> {
  const { ino, mtimeMs, size } = await stat(path);
  return `${ino}:${mtimeMs}:${size}`;
}

async function textOf(path: string): Promise<string> {
  const { size } = await stat(path);
  if (size > MAX_BYTES) throw new Error(`${path} has ${size} bytes, at most ${MAX_BYTES} are read`);
  return readFile(path, "utf8");
}
