import assert from "node:assert/strict";
import { EventEmitter, once } from "node:events";
import { Writable } from "node:stream";
import { pino } from "pino";
import { EndedSessions } from "../../src/session-ends.ts";

/** Looks that wait until they are answered, and what was logged. */
function setUp(againMs = 60_000) {
  const looks: { readonly userId: string; resolve(count: number): void; reject(error: Error): void }[] = [];
  const events = new EventEmitter();
  const logged: string[] = [];
  const lines = new Writable({
    write(line: Buffer, _encoding, done) {
      logged.push(JSON.parse(line.toString()).msg);
      done();
    },
  });
  const close = (userId: string) =>
    new Promise<number>((resolve, reject) => {
      looks.push({ userId, resolve, reject });
      events.emit("look");
    });
  const ends = new EndedSessions(close, pino({ level: "info" }, lines), againMs);
  const count = async (number: number) => {
    while (looks.length < number) await once(events, "look");
  };
  const users = () => looks.map(({ userId }) => userId);
  const settle = () => new Promise((resolve) => setImmediate(resolve));
  return { ends, looks, users, logged, count, settle };
}

describe("EndedSessions", () => {
  it("looks at a user at once, and again after a while", async () => {
    const { ends, looks, count, users } = setUp(30);
    const since = performance.now();
    ends.ended("ada");
    assert.deepEqual(users(), ["ada"]);
    await count(2);
    assert.ok(performance.now() - since > 25);
    assert.deepEqual(users(), ["ada", "ada"]);
    for (const { resolve } of looks) resolve(0);
    await ends.stop();
  });

  it("looks the second time after the last end, once", async () => {
    const { ends, looks, count, settle } = setUp(30);
    for (let i = 0; i < 3; i++) ends.ended("ada");
    assert.equal(looks.length, 3);
    await count(4);
    for (const { resolve } of looks) resolve(0);
    await new Promise((resolve) => setTimeout(resolve, 60));
    await settle();
    assert.equal(looks.length, 4);
    await ends.stop();
  });

  it("looks at 64 users beside each other, at the others then", async () => {
    const { ends, looks, users, settle } = setUp();
    for (let i = 0; i < 70; i++) ends.ended(`user-${i}`);
    assert.equal(looks.length, 64);
    looks[5]?.resolve(0);
    looks[6]?.reject(new Error("away"));
    await settle();
    assert.deepEqual(users().slice(64), ["user-64", "user-65"]);
    for (const { resolve } of looks) resolve(0);
    const stopped = ends.stop();
    await settle();
    for (const { resolve } of looks) resolve(0);
    await stopped;
  });

  it("says once that it fails, and once that it works again", async () => {
    const { ends, looks, logged, settle } = setUp();
    for (const userId of ["ada", "bob", "cleo", "dan"]) ends.ended(userId);
    looks[0]?.reject(new Error("away"));
    looks[1]?.reject(new Error("away"));
    await settle();
    assert.deepEqual(logged, ["connections of ended sessions can't be closed for now"]);
    looks[2]?.resolve(2);
    looks[3]?.resolve(0);
    await settle();
    assert.deepEqual(logged.slice(1), [
      "closed the connections of ended sessions",
      "connections of ended sessions can be closed again",
    ]);
    await ends.stop();
  });

  it("keeps no more users than it may", async () => {
    const { ends, looks, logged } = setUp();
    for (let i = 0; i < 20_010; i++) ends.ended(`user-${i}`);
    assert.ok(logged.length > 10);
    assert.equal(looks.length, 64);
    for (const { resolve } of looks) resolve(0);
    await ends.stop();
  });

  it("stops when what was begun is done, without second looks", async () => {
    const { ends, looks, settle } = setUp(20);
    ends.ended("ada");
    let stopped = false;
    const stop = ends.stop().then(() => {
      stopped = true;
    });
    await settle();
    assert.equal(stopped, false);
    looks[0]?.resolve(1);
    await stop;
    ends.ended("bob");
    await new Promise((resolve) => setTimeout(resolve, 40));
    assert.equal(looks.length, 1);
  });
});
