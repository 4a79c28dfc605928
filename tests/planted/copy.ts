import { execFileSync } from "node:child_process";
import { cp, mkdir, mkdtemp, readdir, readlink, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";

const project = resolve(import.meta.dirname, "../..");

/** The packages of the project itself: in the copy they are the copy's. */
const OWN = "@oceanchat";
/** What the copy shares with the project, since no test writes there. */
const SHARED = ["venv", "cargo", "third_party"];

export interface Tree {
  readonly root: string;
  remove(): Promise<void>;
}

/** Copies the project's files, with what isn't committed yet, into a temporary folder; installed packages are linked. */
export async function copyTree(): Promise<Tree> {
  const root = await mkdtemp(join(tmpdir(), "oceanchat-planted-"));
  const remove = () => rm(root, { recursive: true, force: true });
  try {
    for (const file of filesOf(project)) {
      await mkdir(dirname(join(root, file)), { recursive: true });
      await cp(join(project, file), join(root, file));
    }
    await linkPackages(root);
    await mkdir(join(root, ".oceanchat"));
    for (const name of SHARED) await symlink(join(project, ".oceanchat", name), join(root, ".oceanchat", name));
    return { root, remove };
  } catch (error) {
    await remove();
    throw error;
  }
}

function filesOf(root: string): string[] {
  const options = { cwd: root, encoding: "utf8", maxBuffer: 64 * 1024 * 1024 } as const;
  const listed = execFileSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], options);
  const deleted = new Set(execFileSync("git", ["ls-files", "-z", "--deleted"], options).split("\0"));
  return listed.split("\0").filter((file) => file !== "" && !deleted.has(file));
}

/** Nobody writes into an installed package; the links to the project's own are relative, so they are copied as they are. */
async function linkPackages(root: string): Promise<void> {
  const from = join(project, "node_modules");
  const to = join(root, "node_modules");
  await mkdir(join(to, OWN), { recursive: true });
  for (const name of await readdir(from)) {
    if (name !== OWN) await symlink(join(from, name), join(to, name));
  }
  for (const name of await readdir(join(from, OWN))) {
    await symlink(await readlink(join(from, OWN, name)), join(to, OWN, name));
  }
}
