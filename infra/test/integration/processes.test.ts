import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { ChildSpec } from "@oceanchat/infra/child";
import { acquireLock, LockHeldError } from "@oceanchat/infra/lock";
import { Ports } from "@oceanchat/infra/ports";
import { isAlive, startTimeOf } from "@oceanchat/infra/process-identity";
import { Processes } from "@oceanchat/infra/processes";
import { createStatus } from "@oceanchat/infra/status";
import { temporaryFolder } from "../support/temporary.ts";

const folder = temporaryFolder();

const shell = (script: string, over: Partial<ChildSpec> = {}): ChildSpec => ({
  instance: "thing-1",
  command: "sh",
  args: ["-c", script],
  env: { PATH: process.env.PATH ?? "" },
  cwd: folder.path,
  ports: {},
  ready: () => Promise.resolve(),
  logFile: join(folder.path, "thing-1.log"),
  ...over,
});

const open = (lines: string[], quiet = false): Promise<Processes> =>
  Processes.open({ dataDir: folder.path, status: createStatus(quiet, (text) => lines.push(text)) });

async function gone(pid: number, startTime: string): Promise<void> {
  for (let waited = 0; isAlive(pid, startTime); waited += 20) {
    assert.ok(waited < 8_000, `process ${pid} still runs`);
    await delay(20);
  }
}

describe("Processes", () => {
  it("starts a dead process again and tells which, why, and its last lines", async () => {
    const lines: string[] = [];
    const processes = await open(lines, true);
    const script = `[ -e crashed ] && exec sleep 600; touch crashed; for i in 1 2 3 4 5 6 7 8 9 10 11 12; do echo line $i; done; sleep 0.5; exit 7`;
    await processes.start([shell(script)]);
    const first = processes.pidOf("thing-1");
    while (processes.get("thing-1").restarts === 0) await delay(10);
    await processes.untilReady("thing-1");
    assert.notEqual(processes.pidOf("thing-1"), first);
    const told = lines.join("");
    assert.match(told, new RegExp(`thing-1 \\(pid ${first}\\) died: exit code 7`));
    assert.match(told, /line 3\n[\s\S]*line 12\n/);
    assert.doesNotMatch(told, /line 2\n/);
    await processes.close();
  });

  it("tells only lines of the run that died", async () => {
    await writeFile(join(folder.path, "thing-1.log"), "of an earlier run\n");
    const lines: string[] = [];
    const processes = await open(lines, true);
    await processes.start([
      shell("[ -e crashed ] && exec sleep 600; touch crashed; echo of this run; sleep 0.2; exit 7"),
    ]);
    while (processes.get("thing-1").restarts === 0) await delay(10);
    assert.match(lines.join(""), /of this run/);
    assert.doesNotMatch(lines.join(""), /of an earlier run/);
    await processes.close();
  });

  it("gives up at the start on a process that never gets ready, and tells its lines once", async () => {
    const lines: string[] = [];
    const processes = await open(lines, true);
    const never = { ready: () => Promise.reject(new Error("no")) };
    const starting = processes.start([shell("echo bad configuration; exit 1", never)]);
    await assert.rejects(
      starting,
      /thing-1: died 5 times before it was ready; last death: exit code 1\n.*bad configuration/,
    );
    assert.equal(lines.filter((line) => line.includes("bad configuration")).length, 1);
    assert.equal(lines.filter((line) => line.includes("died again")).length, 4);
    await processes.close();
  });

  it("names a program that cannot be run", async () => {
    const processes = await open([], true);
    await assert.rejects(processes.start([shell("", { command: "/no/such/program" })]), /could not run: .*ENOENT/);
    await processes.close();
  });

  it("kills what ignores SIGTERM", async () => {
    const lines: string[] = [];
    const processes = await open(lines);
    const ready = async () => {
      const log = await readFile(join(folder.path, "thing-1.log"), "utf8");
      if (!log.includes("up")) throw new Error("it doesn't ignore it yet");
    };
    await processes.start([shell("trap '' TERM; echo up; while :; do sleep 1; done", { ready })]);
    const child = processes.get("thing-1");
    const { pid } = child;
    const started = startTimeOf(pid) ?? "";
    assert.equal(await child.stop(300), false);
    assert.equal(isAlive(pid, started), false);
    await processes.close();
  });

  it("refuses a folder that another supervisor has open", async () => {
    const processes = await open([]);
    await assert.rejects(open([]), LockHeldError);
    await processes.close();
    await (await open([])).close();
  });

  it("takes its children along when it is killed itself", async () => {
    const script = join(import.meta.dirname, "../support/crashing-supervisor.ts");
    const supervisor = spawn(process.execPath, [script, folder.path], { stdio: ["ignore", "pipe", "inherit"] });
    const [line]: unknown[] = await once(supervisor.stdout, "data");
    const pid = Number(String(line));
    const started = startTimeOf(pid) ?? "";
    assert.ok(isAlive(pid, started));
    supervisor.kill("SIGKILL");
    await once(supervisor, "exit");
    await gone(pid, started);
  });

  it("ends what an earlier run left behind, but never a recycled pid", async () => {
    const [left, innocent] = [spawn("sleep", ["600"]), spawn("sleep", ["600"])];
    try {
      const leftPid = left.pid ?? 0;
      const startTime = startTimeOf(leftPid) ?? "";
      await mkdir(join(folder.path, "run"));
      await writeFile(join(folder.path, "run/old-1.pid"), `${leftPid} ${startTime}\n`);
      await writeFile(join(folder.path, "run/other-1.pid"), `${innocent.pid} another-start\n`);
      const lines: string[] = [];
      const processes = await open(lines);
      await gone(leftPid, startTime);
      assert.match(lines.join(""), /left behind: old-1\n/);
      assert.equal(innocent.exitCode ?? innocent.signalCode, null);
      assert.deepEqual(await readdir(join(folder.path, "run")), []);
      await processes.close();
    } finally {
      left.kill("SIGKILL");
      innocent.kill("SIGKILL");
    }
  });
});

describe("acquireLock", () => {
  it("takes over from a dead owner, exactly one of many", async () => {
    const path = join(folder.path, "lock");
    await mkdir(path);
    await writeFile(join(path, "owner"), "4711 long-ago\n");
    const results = await Promise.allSettled(Array.from({ length: 8 }, () => acquireLock(path)));
    assert.equal(results.filter(({ status }) => status === "fulfilled").length, 1);
    assert.deepEqual(
      (await readdir(folder.path)).filter((name) => name !== "lock"),
      [],
    );
  });
});

describe("Ports", () => {
  it("keeps two meshes apart and remembers", async () => {
    const file = join(folder.path, "ports.json");
    const [one, two] = [new Ports(file), new Ports()];
    const taken = [await one.take("a"), await one.take("b"), await two.take("a"), await two.take("b")];
    assert.equal(new Set(taken).size, 4);
    await one.save();
    const twin = new Ports(file); // while the first one lives, also ports that nobody listens on yet are its own
    assert.equal(taken.includes(await twin.take("a")), false);
    await twin.release();
    await one.release();
    const again = new Ports(file);
    assert.equal(await again.take("b"), taken[1]);
    assert.notEqual(await again.take("c"), taken[0]);
    assert.equal(await again.take("a"), taken[0]);
    await again.release();
    await two.release();
    assert.ok(existsSync(file));
  });
});
