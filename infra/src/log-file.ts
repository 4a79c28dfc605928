import { closeSync, fstatSync, mkdirSync, openSync, readSync, renameSync, statSync } from "node:fs";
import { dirname } from "node:path";

const ROTATE_BYTES = 20 * 1024 * 1024;
const TAIL_BYTES = 64 * 1024;

/** Opens a log for appending; one that has grown past 20 MB is renamed to `<file>.1` first. */
export function openLog(file: string): { fd: number; size: number } {
  mkdirSync(dirname(file), { recursive: true });
  if ((statSync(file, { throwIfNoEntry: false })?.size ?? 0) > ROTATE_BYTES) renameSync(file, `${file}.1`);
  const fd = openSync(file, "a");
  return { fd, size: fstatSync(fd).size };
}

/** The last lines written after byte `from`, cut at `width` characters. */
export function lastLines(file: string, from: number, count = 10, width = 500): string[] {
  const size = statSync(file, { throwIfNoEntry: false })?.size ?? 0;
  const start = Math.max(from, size - TAIL_BYTES);
  if (size <= start) return [];
  const buffer = Buffer.alloc(size - start);
  const fd = openSync(file, "r");
  try {
    const read = readSync(fd, buffer, 0, buffer.length, start);
    const lines = buffer.toString("utf8", 0, read).split("\n");
    return lines
      .filter((line) => line.trim() !== "")
      .slice(-count)
      .map((line) => (line.length > width ? `${line.slice(0, width)}…` : line));
  } finally {
    closeSync(fd);
  }
}
