import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A folder for one test, removed after it. */
export function temporaryFolder(): { readonly path: string } {
  let path = "";
  beforeEach(async () => {
    path = await mkdtemp(join(tmpdir(), "oceanchat-test-"));
  });
  afterEach(() => rm(path, { recursive: true, force: true }));
  return {
    get path() {
      return path;
    },
  };
}
