import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { ATTACK_NAMES } from "../../src/attacks/names.ts";
import { countOf, membersOf, onlineOf, socketsOf } from "../../src/scenario.ts";
import { parseScenario, ScenarioError } from "../../src/scenario-file.ts";

const FOLDER = join(import.meta.dirname, "../../scenarios");

const part = {
  conversations: { kind: "direct", pairs: 10, writers: 1 },
  load: { kind: "open", perSecond: 50 },
};
const good = { description: "ten pairs", traffic: [part], seconds: 5 };

/** The problems of a file, one per line. */
function problemsOf(file: unknown): string[] {
  let text = "";
  assert.throws(
    () => parseScenario("x", JSON.stringify(file)),
    (error) => {
      assert.ok(error instanceof ScenarioError);
      text = error.message;
      return true;
    },
  );
  const [head, ...lines] = text.split("\n");
  assert.equal(head, "scenario x:");
  return lines.map((line) => line.trim());
}

describe("a scenario file", () => {
  it("gets defaults for what it does not say", () => {
    assert.deepEqual(parseScenario("pairs", JSON.stringify(good)), {
      name: "pairs",
      description: "ten pairs",
      traffic: [{ name: "direct", ...part, textBytes: 100 }],
      idleSockets: 0,
      connect: "edge",
      natsSyncInterval: "",
      environment: {},
      freshMesh: false,
      slowReaders: undefined,
      churn: undefined,
      storm: undefined,
      attacks: undefined,
      heartbeatSeconds: 25,
      warmUpSeconds: 3,
      seconds: 5,
      drainSeconds: 15,
      budgets: [],
    });
  });

  it("has parts, idle sockets, events and budgets", () => {
    const group = { kind: "group", groups: 3, members: 200, online: 20, writers: 5 };
    const file = {
      ...good,
      traffic: [part, { name: "groups", conversations: group, load: { kind: "closed" }, textBytes: 7 }],
      idleSockets: 30,
      connect: "one gateway",
      slowReaders: { sockets: 9, bytesPerSecond: 1024, baselineSeconds: 2 },
      churn: { perSecond: 2.5 },
      storm: { afterSeconds: 1, spreadSeconds: 4 },
      budgets: [
        { name: "a", figure: "ack.p50", atMost: 4 },
        { name: "b", figure: "accepted", atLeast: 10 },
      ],
    };
    const { traffic, budgets, connect, ...rest } = parseScenario("x", JSON.stringify(file));
    assert.deepEqual(traffic[1], {
      name: "groups",
      conversations: group,
      load: { kind: "closed", inFlight: 1 },
      textBytes: 7,
    });
    assert.deepEqual([budgets, connect], [file.budgets, "one gateway"]);
    assert.deepEqual(rest.slowReaders, file.slowReaders);
    assert.deepEqual([rest.churn, rest.storm], [file.churn, file.storm]);
    assert.equal(socketsOf({ traffic, idleSockets: 30 }), 20 + 60 + 30);
  });

  it("counts members, conversations and sockets", () => {
    const direct = { kind: "direct", pairs: 50, writers: 2 } as const;
    const group = { kind: "group", groups: 3, members: 200, online: 150, writers: 5 } as const;
    assert.deepEqual([membersOf(direct), onlineOf(direct), countOf(direct)], [2, 2, 50]);
    assert.deepEqual([membersOf(group), onlineOf(group), countOf(group)], [200, 150, 3]);
  });

  it("has attacks, all or one, and what its mesh is told", () => {
    const attacks = { seconds: 3, restSeconds: 2, repetitions: 3, calmSeconds: 10 };
    const environment = { OCEANCHAT_IDLE_MS: "6000" };
    const file = { ...good, seconds: 300, attacks, environment, heartbeatSeconds: 2 };
    const all = parseScenario("x", JSON.stringify(file));
    assert.deepEqual([all.attacks?.kinds, all.environment, all.heartbeatSeconds], [ATTACK_NAMES, environment, 2]);
    const one = parseScenario("x", JSON.stringify({ ...file, seconds: 80, attacks: { ...attacks, only: "flood" } }));
    assert.deepEqual(one.attacks?.kinds, ["flood"]);
    assert.deepEqual(problemsOf({ ...file, seconds: 79, attacks: { ...attacks, only: "flood" } }), [
      "seconds: the attacks need 80",
    ]);
    assert.deepEqual(problemsOf({ ...file, attacks: { ...attacks, only: "x" }, environment: { PATH: "x" } }), [
      `attacks.only: expected all or ${ATTACK_NAMES.join(" or ")}`,
    ]);
    assert.deepEqual(problemsOf({ ...file, environment: { PATH: "x" } }), ["environment.PATH: is no key of a service"]);
  });

  it("says everything that is wrong at once", () => {
    const file = {
      traffic: [
        { conversations: { kind: "direct", pairs: "ten", writers: 3 }, load: { kind: "sometimes" }, textBytes: 10_000 },
      ],
      warmUpSeconds: 0.5,
      seconds: 0,
      second: 5,
      connect: "somehow",
      budgets: [{ name: "x", figure: 5, atMost: "much" }],
    };
    assert.deepEqual(problemsOf(file), [
      "description: expected a text",
      "traffic.0.conversations.pairs: expected a number from 1 to 10000",
      "traffic.0.conversations.writers: expected a number from 1 to 2",
      "traffic.0.load.kind: expected closed or open",
      "traffic.0.textBytes: expected a number from 1 to 8192",
      "connect: expected edge or gateways or one gateway",
      "warmUpSeconds: expected a whole number",
      "seconds: expected a number from 1 to 3600",
      "budgets.0.figure: expected a text",
      "budgets.0.atMost: expected a number from 0 to 1000000000000",
      "second: is not known",
    ]);
  });

  it("refuses fields of another kind", () => {
    const load = { kind: "open", perSecond: 1, inFlight: 1 };
    assert.deepEqual(problemsOf({ ...good, traffic: [{ ...part, load }] }), ["traffic.0.load.inFlight: is not known"]);
  });

  it("refuses what is too much together", () => {
    const group = { kind: "group", groups: 300, members: 100, writers: 101 };
    assert.deepEqual(problemsOf({ ...good, traffic: [{ ...part, conversations: group }] }), [
      "traffic.0.conversations.writers: 101, but 100 members are online",
      "needs 30000 sockets, 20000 are the limit",
    ]);
    const load = { kind: "open", perSecond: 100_000 };
    assert.deepEqual(problemsOf({ ...good, traffic: [{ ...part, load }], seconds: 60 }), [
      "sends 6300000 messages, 2000000 are the limit",
    ]);
    assert.deepEqual(problemsOf({ ...good, traffic: [part, part] }), ["traffic: parts need names that differ"]);
  });

  it("refuses events that have nobody to happen to", () => {
    assert.deepEqual(problemsOf({ ...good, churn: { perSecond: 1 } }), ["churn: there are no idleSockets"]);
    assert.deepEqual(problemsOf({ ...good, storm: { afterSeconds: 1, spreadSeconds: 1 } }), [
      'storm: needs "connect" to name the gateways',
    ]);
    assert.deepEqual(problemsOf({ ...good, slowReaders: { sockets: 10, bytesPerSecond: 1000, baselineSeconds: 4 } }), [
      "slowReaders.sockets: there are not so many who only read in the first part of the traffic",
      "slowReaders.baselineSeconds: longer than the warm-up",
    ]);
  });

  it("refuses what is no object, and no JSON", () => {
    for (const file of [null, [], "text", 7]) assert.ok(problemsOf(file).includes("the file: expected an object"));
    assert.throws(() => parseScenario("x", "{"), ScenarioError);
  });

  for (const file of readdirSync(FOLDER)) {
    it(`${file} is one`, () => {
      parseScenario(basename(file, ".json"), readFileSync(join(FOLDER, file), "utf8"));
    });
  }
});
