import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { CloseFinder, openSocket, UpgradeRefused } from "@oceanchat/tests/raw-clients/raw-websocket";
import { closedWith, Offenders, readAll, told } from "../../src/attacks/attack.ts";
import { ATTACKS } from "../../src/attacks/attacks.ts";
import type { AttackSeen } from "../../src/attacks/campaign.ts";
import { ATTACK_NAMES } from "../../src/attacks/names.ts";
import { type AttackResults, attackResults, growth, slowdown } from "../../src/attacks/result.ts";
import { attackLines } from "../../src/attacks/table.ts";
import { figuresOf } from "../../src/figures.ts";
import { htmlPage } from "../../src/html/page.ts";
import { table } from "../../src/report.ts";
import { Phases } from "../../src/shard/phases.ts";
import { run, scenario, timed } from "./runs.ts";

const MIB = 2 ** 20;

/** An attack after which a service has so many MiB, each time. */
function seen(after: readonly number[], unexpected = 0): AttackSeen {
  return {
    ...{ name: "unmasked", title: "<unmasked> frames", unexpected, cpus: 0.75 },
    outcomes: { "close 1002": 7, ...(unexpected > 0 ? { closed: unexpected } : {}) },
    memory: [
      { service: "router", beforeBytes: 90 * MIB, peakBytes: 120 * MIB, afterBytes: after.map((mib) => mib * MIB) },
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

  it("are compared with the slower calm and with their own first time", () => {
    const all = results(seen([100, 104, 103]));
    const [attack] = all.attacks;
    assert.ok(attack);
    assert.equal(Math.round(slowdown(all, attack) * 10) / 10, 1.5);
    assert.deepEqual(attack.memory.map(growth), [1.03]);
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
    assert.match(lines.join("\n"), /\nunmasked +90 120 100\/110 +1\.10$/);
    const own = scenario("abuse", []);
    const page = htmlPage([{ scenario: own, runs: [{ ...run(10, 4), attacks }] }], [], { time: "now", facts: [] });
    assert.match(page, /&lt;unmasked&gt; frames/);
    assert.match(page, /<td>90 120 100\/110<\/td>/);
    assert.match(table(own, [{ ...run(10, 4), attacks }], { direct: false, store: "x", threads: 1, mode: "mesh" }), /UNTYPED/);
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
