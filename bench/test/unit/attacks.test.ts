import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { CloseFinder, openSocket, UpgradeRefused } from "@oceanchat/tests/raw-clients/raw-websocket";
import { closedWith, Offenders, readAll, told } from "../../src/attacks/attack.ts";
import { ATTACKS } from "../../src/attacks/attacks.ts";
import type { AttackSeen } from "../../src/attacks/campaign.ts";
import { liveBytes, numbersIn } from "../../src/attacks/live-memory.ts";
import { ATTACK_NAMES } from "../../src/attacks/names.ts";
import { type AttackResults, attackResults, growth, mostGrowth, slowdown } from "../../src/attacks/result.ts";
import { attackLines } from "../../src/attacks/table.ts";
import { figuresOf } from "../../src/figures.ts";
import { htmlPage } from "../../src/html/page.ts";
import { table } from "../../src/report.ts";
import { Phases } from "../../src/shard/phases.ts";
import { run, scenario, timed } from "./runs.ts";

const MIB = 2 ** 20;

/** An attack before and after which a service refers to so many MiB. */
function seen([before, after]: readonly [number, number], unexpected = 0): AttackSeen {
  return {
    ...{ name: "unmasked", title: "<unmasked> frames", unexpected, cpus: 0.75 },
    outcomes: { "close 1002": 7, ...(unexpected > 0 ? { closed: unexpected } : {}) },
    memory: [
      {
        ...{ service: "router", beforeBytes: 190 * MIB, peakBytes: 220 * MIB, afterBytes: 200 * MIB },
        ...{ liveBeforeBytes: before * MIB, liveAfterBytes: after * MIB },
      },
      {
        ...{ service: "envoy", beforeBytes: 80 * MIB, peakBytes: 82 * MIB, afterBytes: 81 * MIB },
        ...{ liveBeforeBytes: Number.NaN, liveAfterBytes: Number.NaN },
      },
    ],
  };
}

const phase = (ms: number) => ({ ack: timed(ms / 2), delivery: timed(ms) });

function results(attack: AttackSeen): AttackResults {
  const all = attackResults({ calmCpus: 0.5, attacks: [attack] }, [phase(10), phase(30), phase(20)]);
  assert.ok(all);
  return all;
}

describe("phases of the measured time", () => {
  it("have the messages that were meant to leave in them, whenever they are answered", () => {
    const phases = new Phases(2);
    phases.begin(0, 100);
    phases.begin(undefined, 200);
    phases.begin(1, 300);
    phases.begin(0, 400);
    const of = (intended: number) => {
      const found = phases.of(intended);
      return found === undefined ? -1 : phases.latencies.indexOf(found);
    };
    assert.deepEqual([99, 100, 199, 200, 299, 300, 399, 400, 1000].map(of), [-1, 0, 0, -1, -1, 1, 1, 0, 0]);
  });
});

describe("attacks", () => {
  it("have a name each that a scenario can choose", () => {
    assert.deepEqual(Object.keys(ATTACKS), [...ATTACK_NAMES]);
    for (const name of ATTACK_NAMES) assert.equal(ATTACKS[name].name, name);
  });

  it("are compared with the slower calm, and memory with that before", () => {
    const all = results(seen([100, 103]));
    const [attack] = all.attacks;
    assert.ok(attack);
    assert.equal(Math.round(slowdown(all, attack) * 10) / 10, 1.5);
    assert.deepEqual(attack.memory.map(growth), [1.03, Number.NaN]);
    assert.equal(mostGrowth(attack.memory), 1.03);
  });

  it("have three figures in all: the worst of each kind", () => {
    const attacks = results(seen([100, 110], 2));
    const figures = new Map(figuresOf({ ...run(10, 4), attacks }).map(({ name, value }) => [name, value]));
    assert.equal(figures.get("attacks.untold"), 2);
    assert.equal(figures.get("attacks.growth"), 1.1);
    assert.equal(Math.round((figures.get("attacks.slowdown") ?? 0) * 10) / 10, 1.5);
    assert.equal(figuresOf(run(10, 4)).filter(({ name }) => name.startsWith("attacks.")).length, 0);
  });

  it("are tables on the terminal and in the report, with what was not typed", () => {
    const attacks = results(seen([100, 110], 2));
    const lines = attackLines(attacks);
    assert.match(
      lines.join("\n"),
      /\nunmasked +15\.0 +15\.0 +30\.0 +30\.0 +1\.50 +0\.75 +2 UNTYPED: 7 × close 1002, 2 × closed\n/,
    );
    assert.match(lines.join("\n"), /\nunmasked +190 220 200; 100\.0 > 110\.0 +80 82 81 +1\.10$/);
    const own = scenario("abuse", []);
    const page = htmlPage([{ scenario: own, runs: [{ ...run(10, 4), attacks }] }], [], { time: "now", facts: [] });
    assert.match(page, /&lt;unmasked&gt; frames/);
    assert.match(page, /<td>190 220 200; 100\.0 &gt; 110\.0<\/td>/);
    assert.match(
      table(own, [{ ...run(10, 4), attacks }], { direct: false, store: "x", threads: 1, mode: "mesh" }),
      /UNTYPED/,
    );
  });

  it("are none without phases", () => {
    assert.equal(attackResults(undefined, []), undefined);
  });
});

describe("offenders", () => {
  it("take turns", () => {
    const user = (userId: string) => ({ userId, token: "" });
    const offenders = new Offenders([user("a"), user("b")], []);
    assert.deepEqual(
      [0, 1, 2].map(() => offenders.next().userId),
      ["a", "b", "a"],
    );
    assert.throws(() => new Offenders([], []).next(), RangeError);
  });

  it("note statuses, close codes and what the network says, and throw what is a mistake of their own", async () => {
    const refused = new UpgradeRefused("HTTP/1.1 429 Too Many Requests\r\n\r\n");
    assert.equal(await told(Promise.reject(refused)), "HTTP 429");
    assert.equal(await told(Promise.reject(new UpgradeRefused(""))), "closed");
    assert.equal(await told(Promise.reject(Object.assign(new Error(), { code: "ECONNRESET" }))), "ECONNRESET");
    await assert.rejects(told(Promise.reject(new TypeError("x"))), TypeError);
    assert.deepEqual([closedWith(1002), closedWith(undefined)], ["close 1002", "closed"]);
  });

  it("read until the other side ends", async () => {
    const server = createServer((socket) => socket.end("bye")).listen(0, "127.0.0.1");
    await once(server, "listening");
    const socket = await openSocket({ host: "127.0.0.1", port: (server.address() as AddressInfo).port });
    assert.equal((await readAll(socket))?.toString(), "bye");
    server.close();
  });

  it("find the close frame behind other frames, wherever the bytes are cut", () => {
    const medium = Buffer.concat([Buffer.of(0x82, 126, 0, 200), Buffer.alloc(200, 0x88)]);
    const close = Buffer.of(0x88, 5, 0x03, 0xf1, 0x61, 0x62, 0x63);
    const bytes = Buffer.concat([Buffer.of(0x82, 2, 0x88, 0x88), medium, Buffer.of(0x82, 0), close]);
    for (let cut = 0; cut <= bytes.length; cut++) {
      const finder = new CloseFinder();
      finder.push(bytes.subarray(0, cut));
      finder.push(bytes.subarray(cut));
      assert.equal(finder.code, 1009, `cut at ${cut}`);
    }
    const byOne = new CloseFinder();
    for (const byte of bytes) byOne.push(Buffer.of(byte));
    assert.equal(byOne.code, 1009);
  });
});

describe("live memory", () => {
  it("is what a process still refers to, after a collection", async function () {
    this.timeout(60_000);
    const keeps = "const kept = Buffer.alloc(32 * 2 ** 20); setInterval(() => kept[0], 1000);";
    const drops = "let dropped = Array.from({ length: 1e6 }, (_, i) => ({ i })); dropped = undefined;";
    const program = `${keeps} ${drops} console.log('up')`;
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    server.close();
    const child = spawn(process.execPath, [`--inspect-port=${port}`, "-e", program], {
      stdio: ["ignore", "pipe", "ignore"],
    });
    try {
      await once(child.stdout, "data");
      const [first, second] = [await liveBytes(child.pid ?? 0, port), await liveBytes(child.pid ?? 0, port)];
      assert.ok(first > 32 * MIB && first < 50 * MIB, `${first} bytes`);
      assert.ok(Math.abs(second - first) < 2 * MIB, `${second} bytes`);
    } finally {
      child.kill();
    }
  });

  it("is read out of what the inspector answers", () => {
    assert.deepEqual(numbersIn('{"id":1,"result":{"result":{"type":"string","value":"[12,345]"}}}'), [12, 345]);
    assert.throws(() => numbersIn("{}"), /no figures/);
  });
});
