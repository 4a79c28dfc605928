import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";

/** The size of all files in a folder and below, in bytes. */
export async function bytesIn(folder: string): Promise<number> {
  let bytes = 0;
  for (const { name, parentPath } of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const found = await stat(join(parentPath, name)).catch(() => undefined); // gone meanwhile
    if (found?.isFile() === true) bytes += found.size;
  }
  return bytes;
}
