import assert from "node:assert/strict";
import { Codec } from "@oceanchat/gen/oceanchat/records/v1/codec_pb";
import { Allowance } from "../../src/core/allowance.ts";
import { closings, isCloseCode, mayReconnect } from "../../src/core/closing.ts";
import { Counters } from "../../src/core/counters.ts";
import { chooseProtocol, readUpgrade } from "../../src/core/handshake.ts";
import { Registry } from "../../src/core/registry.ts";

describe("Allowance", () => {
  const rates = { packetsPerSecond: 100, packetsBurst: 10, bytesPerSecond: 1_000, bytesBurst: 500 };

  it("lets a burst pass and then asks to wait", () => {
    const allowance = new Allowance();
    for (let i = 0; i < 10; i++) allowance.take(rates, 1, 0);
    assert.equal(allowance.waitMs(rates, 0), 0);
    allowance.take(rates, 1, 0);
    assert.equal(allowance.waitMs(rates, 0), 10);
    assert.equal(allowance.waitMs(rates, 10), 0);
  });

  it("counts bytes too", () => {
    const allowance = new Allowance();
    allowance.take(rates, 700, 0);
    assert.equal(allowance.waitMs(rates, 0), 200);
    assert.equal(allowance.waitMs(rates, 200), 0);
  });

  it("saves nothing up beyond the burst", () => {
    const allowance = new Allowance();
    for (let i = 0; i < 11; i++) allowance.take(rates, 1, 1_000_000);
    assert.ok(allowance.waitMs(rates, 1_000_000) > 0);
  });
});

describe("Registry", () => {
  const make = (id: string, userId: string, sessionId: string) => ({ id, userId, sessionId });

  it("finds connections by id, session and user, and forgets them", () => {
    const registry = new Registry<ReturnType<typeof make>>();
    const [a, b, c] = [make("a", "u1", "s1"), make("b", "u1", "s1"), make("c", "u2", "s2")];
    for (const each of [a, b, c]) registry.add(each);
    assert.equal(registry.size, 3);
    assert.equal(registry.get("b"), b);
    assert.deepEqual(registry.ofSession("s1"), [a, b]);
    assert.equal(registry.countOfUser("u1"), 2);
    assert.deepEqual(registry.sessionIds(), ["s1", "s2"]);
    assert.equal(registry.remove(a), true);
    assert.equal(registry.remove(a), false);
    assert.deepEqual(registry.ofSession("s1"), [b]);
    assert.equal(registry.countOfUser("u1"), 1);
    registry.remove(b);
    assert.deepEqual(registry.ofSession("s1"), []);
    assert.deepEqual(registry.sessionIds(), ["s2"]);
    assert.equal(registry.countOfUser("u1"), 0);
  });

  it("bears that a session's connections go while they are walked through", () => {
    const registry = new Registry<ReturnType<typeof make>>();
    for (let i = 0; i < 5; i++) registry.add(make(`c${i}`, "u", "s"));
    let seen = 0;
    for (const each of registry.ofSession("s")) {
      registry.remove(each);
      seen++;
    }
    assert.equal(seen, 5);
    assert.equal(registry.size, 0);
  });
});

describe("readUpgrade", () => {
  const origins = new Set(["https://chat.example"]);
  const read = (headers: Parameters<typeof readUpgrade>[1], url = "/ws") => readUpgrade(url, headers, origins);
  const offer = (...protocols: string[]) => ({ "sec-websocket-protocol": protocols.join(", ") });

  it("takes the token from the header", () => {
    assert.deepEqual(read({ authorization: "Bearer abc", ...offer("oceanchat.v1") }), {
      token: "abc",
      codec: Codec.BINARY,
    });
  });

  it("takes the token from the last subprotocol", () => {
    assert.deepEqual(read(offer("oceanchat.v1.json", "oceanchat.bearer.abc")), { token: "abc", codec: Codec.JSON });
  });

  it("never falls back from a header to a subprotocol", () => {
    const headers = { authorization: "Basic abc", ...offer("oceanchat.v1", "oceanchat.bearer.abc") };
    assert.throws(() => read(headers), { reason: "ERROR_REASON_TOKEN_INVALID" });
  });

  for (const [what, headers, reason] of [
    ["no token", offer("oceanchat.v1"), "ERROR_REASON_TOKEN_INVALID"],
    ["an empty token", offer("oceanchat.v1", "oceanchat.bearer."), "ERROR_REASON_TOKEN_INVALID"],
    ["a token first", offer("oceanchat.bearer.abc", "oceanchat.v1"), "ERROR_REASON_TOKEN_INVALID"],
    ["no subprotocol", { authorization: "Bearer abc" }, "ERROR_REASON_SUBPROTOCOL_MISSING"],
    ["a token alone", offer("oceanchat.bearer.abc"), "ERROR_REASON_SUBPROTOCOL_MISSING"],
    [
      "a stranger's page",
      { authorization: "Bearer abc", origin: "https://chat.example.evil", ...offer("oceanchat.v1") },
      "ERROR_REASON_ORIGIN_NOT_ALLOWED",
    ],
  ] as const) {
    it(`refuses ${what}`, () => {
      assert.throws(() => read(headers), { reason });
    });
  }

  it("refuses a query", () => {
    assert.throws(() => read({ authorization: "Bearer abc", ...offer("oceanchat.v1") }, "/ws?a=b"), {
      reason: "ERROR_REASON_MALFORMED",
    });
  });

  it("takes an allowed page", () => {
    read({ authorization: "Bearer abc", origin: "https://chat.example", ...offer("oceanchat.v1") });
  });

  it("chooses as the client prefers", () => {
    assert.equal(chooseProtocol(["x", "oceanchat.v1.json", "oceanchat.v1"])?.protocol, "oceanchat.v1.json");
    assert.equal(chooseProtocol(["x"]), undefined);
  });
});

describe("closings", () => {
  it("can all be sent", () => {
    for (const { code, reason } of Object.values(closings)) {
      assert.ok(isCloseCode(code));
      assert.ok(Buffer.byteLength(reason) <= 100);
    }
  });

  it("knows which codes may be sent", () => {
    for (const code of [1000, 1001, 1003, 1007, 1014, 3000, 4401, 4999]) assert.ok(isCloseCode(code), `${code}`);
    for (const code of [0, 999, 1004, 1005, 1006, 1015, 2999, 5000]) assert.ok(!isCloseCode(code), `${code}`);
  });

  it("knows after which a client may just come again", () => {
    const again = Object.entries(closings).flatMap(([name, closing]) => (mayReconnect(closing) ? name : []));
    assert.deepEqual(again, ["idle", "draining", "slow"]);
  });
});

describe("Counters", () => {
  it("gives what was counted and begins anew", () => {
    const counters = new Counters();
    counters.opened = 3;
    assert.equal(counters.take().opened, 3);
    assert.deepEqual(new Set(Object.values(counters.take())), new Set([0]));
  });
});
