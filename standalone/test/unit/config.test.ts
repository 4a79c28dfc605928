import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { layoutOf } from "@oceanchat/infra/layout";
import { SERVICE_NAMES, STANDALONE_NODE_FLAGS, SERVICES as TOPOLOGY } from "@oceanchat/infra/topology";
import { type Env, type Key, readConfig } from "@oceanchat/runtime/config";
import { readProcessConfig } from "@oceanchat/runtime/process-config";
import { environmentsOf, keysOf } from "../../src/config.ts";
import { SERVICES } from "../../src/services.ts";

const services = SERVICES.flat();

function environmentOf(service: string, env: Env): Env {
  const own = environmentsOf(services, env).get(service);
  assert.ok(own, service);
  return own;
}

describe("the services of the single process", () => {
  it("are those of the mesh, with the same doors, stopped in the same order", () => {
    assert.deepEqual(services.map(({ name }) => name).sort(), [...SERVICE_NAMES].sort());
    for (const [tier, group] of SERVICES.entries()) {
      for (const { name, public: open } of group) {
        const row = Object.entries(TOPOLOGY).find(([known]) => known === name)?.[1];
        assert.deepEqual({ name, tier: row?.tier, public: row?.public }, { name, tier, public: open });
      }
    }
  });

  it("each read their own name, their own doors and the others' addresses", () => {
    const env = { OCEANCHAT_INSTANCE: "7", OCEANCHAT_MESSAGE_MESH_PORT: "4000", OCEANCHAT_AUTH_PUBLIC_PORT: "4001" };
    const doors = services.flatMap(({ name, public: open }) => {
      const { instance, publicPort, meshPort, listenHost } = readProcessConfig(environmentOf(name, env));
      assert.deepEqual([instance, listenHost], [`${name}-7`, "127.0.0.1"]);
      return open ? [publicPort, meshPort] : [meshPort];
    });
    assert.equal(new Set(doors).size, doors.length, `no port twice: ${doors}`);
    assert.equal(readProcessConfig(environmentOf("message", env)).meshPort, 4000);
    assert.equal(readProcessConfig(environmentOf("auth", env)).publicPort, 4001);
    for (const { name } of services) {
      assert.equal(environmentOf(name, env).OCEANCHAT_MESSAGE_ADDRESSES, "127.0.0.1:4000");
      assert.equal(environmentOf(name, env).OCEANCHAT_ADVERTISED_HOST, "127.0.0.1");
    }
  });

  it("reach each other wherever they listen", () => {
    for (const [listenHost, reached] of [
      ["0.0.0.0", "127.0.0.1"],
      ["::", "127.0.0.1"],
      ["10.1.2.3", "10.1.2.3"],
      ["fd00::1", "[fd00::1]"],
    ]) {
      const env = environmentOf("router", { OCEANCHAT_LISTEN_HOST: listenHost });
      assert.equal(env.OCEANCHAT_QUERY_ADDRESSES, `${reached}:8205`);
      assert.equal(env.OCEANCHAT_LISTEN_HOST, listenHost);
    }
  });

  it("read what the process is told, and leave threads to others while passwords are hashed", () => {
    const key = "OCEANCHAT_PASSWORD_HASHES_AT_ONCE";
    assert.equal(environmentOf("auth", { [key]: "2" })[key], "2");
    assert.ok(["1", "2", "3"].includes(environmentOf("auth", {})[key] ?? ""));
    assert.equal(environmentOf("presence", { OCEANCHAT_GATEWAY_LEASE_MS: "9" }).OCEANCHAT_GATEWAY_LEASE_MS, "9");
  });
});

describe("the keys of the single process", () => {
  it("name every variable once, without those that it derives, and their defaults agree", () => {
    const keys = keysOf(services);
    const names = Object.values(keys).map(({ name }) => name);
    assert.equal(new Set(names).size, names.length);
    for (const derived of ["OCEANCHAT_PUBLIC_PORT", "OCEANCHAT_MESH_PORT", "OCEANCHAT_AUTH_ADDRESSES"]) {
      assert.ok(!names.includes(derived), derived);
    }
    const bySeveral = Map.groupBy(
      services.flatMap(({ keys: own }) => Object.values<Key<unknown>>(own)),
      ({ name }) => name,
    );
    for (const [name, same] of bySeveral) {
      const facts = new Set(same.map(({ type, fallback }) => `${type} ${fallback}`));
      assert.equal(facts.size, 1, `${name}: one value has to do for all services: ${[...facts].join("; ")}`);
    }
  });

  it("are all said to be wrong at once", () => {
    const env = { OCEANCHAT_AUTH_MESH_PORT: "0", OCEANCHAT_GATEWAY_LEASE_MS: "soon", OCEANCHAT_WS_PORT: "x" };
    assert.throws(
      () => readConfig(keysOf(services), env),
      (error: Error) => Object.keys(env).every((name) => error.message.includes(name)),
    );
  });

  it("hold for node too: the start script has the flags that the supervisor gives", () => {
    const { scripts } = JSON.parse(readFileSync(join(layoutOf().root, "standalone/package.json"), "utf8"));
    assert.equal(scripts.start, `node ${STANDALONE_NODE_FLAGS.join(" ")} src/main.ts`);
  });
});
