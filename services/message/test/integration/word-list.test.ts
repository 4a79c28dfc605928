import assert from "node:assert/strict";
import { EventEmitter, once } from "node:events";
import { mkdtemp, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silentLog } from "@oceanchat/runtime/testing";
import { followWordList, newVersions } from "../../src/store/word-list.ts";

describe("the file of sensitive words", () => {
  let folder = "";
  let end = () => {};
  const events = new EventEmitter();
  const use = (text: string) => {
    if (text.includes("nonsense")) {
      events.emit("refused", text);
      throw new Error("nonsense");
    }
    events.emit("used", text);
    return 1;
  };
  const next = async (name: string): Promise<string> =>
    (await once(events, name, { signal: AbortSignal.timeout(30_000) }))[0];

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "words-"));
  });
  afterEach(async () => {
    end();
    await rm(folder, { recursive: true });
  });

  async function follow(path: string) {
    const used = next("used");
    end = await followWordList({ path, everyMs: 20, log: silentLog, use });
    return used;
  }

  it("is used at once, and again when it has changed", async () => {
    const path = join(folder, "words");
    await writeFile(path, "mask one");
    assert.equal(await follow(path), "mask one");
    const changed = next("used");
    await writeFile(path, "mask the second");
    assert.equal(await changed, "mask the second");
  });

  it("is followed where it is replaced behind a link, as in Kubernetes", async () => {
    const path = join(folder, "words");
    await writeFile(join(folder, "1"), "mask one");
    await writeFile(join(folder, "2"), "mask two");
    await symlink(join(folder, "1"), path);
    assert.equal(await follow(path), "mask one");
    const changed = next("used");
    await symlink(join(folder, "2"), join(folder, "new"));
    await rename(join(folder, "new"), path);
    assert.equal(await changed, "mask two");
  });

  it("is tried again after one that couldn't be used, or is gone", async () => {
    const path = join(folder, "words");
    await writeFile(path, "mask one");
    await follow(path);
    const refused = next("refused");
    await writeFile(path, "utter nonsense");
    await refused;
    await rm(path);
    const changed = next("used");
    await writeFile(path, "mask three");
    assert.equal(await changed, "mask three");
  });

  it("is not used while it is being written: before it has stayed from one look to the next", () => {
    const isNew = newVersions("a");
    assert.deepEqual(["a", "empty", "half", "b", "b", "b", "empty", "b", "b", "c", "c"].map(isNew), [
      ...[false, false, false, false, true, false, false, false, false, false, true],
    ]);
  });

  it("must be there and good at start", async () => {
    const options = { everyMs: 20, log: silentLog, use };
    await assert.rejects(followWordList({ ...options, path: join(folder, "none") }), /ENOENT/);
    await writeFile(join(folder, "bad"), "nonsense");
    await assert.rejects(followWordList({ ...options, path: join(folder, "bad") }), /nonsense/);
  });
});
