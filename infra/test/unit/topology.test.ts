import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { loadInfraConfig } from "@oceanchat/infra/config";
import { endpointsOf } from "@oceanchat/infra/endpoints";
import { laptopClusters } from "@oceanchat/infra/envoy-clusters";
import { layoutOf } from "@oceanchat/infra/layout";
import { Ports } from "@oceanchat/infra/ports";
import {
  type Addresses,
  assignAddresses,
  environmentOf,
  nodeFlagsOf,
  SERVICE_NAMES,
  SERVICES,
  standaloneEnvironment,
  stopOrder,
  webSocketDoors,
} from "@oceanchat/infra/topology";
import { parse } from "yaml";

const servers = { nats: "nats://n", redis: "redis://r", mongodb: "mongodb://m" };

function addresses(): Addresses {
  let port = 30_000;
  const entries = SERVICE_NAMES.map((name) => {
    const list = Array.from({ length: SERVICES[name].instances }, (_, index) => {
      const doors = { mesh: port++, public: port++, ...(SERVICES[name].sockets && { ws: port++, tcp: port++ }) };
      return { instance: `${name}-${index + 1}`, ports: doors };
    });
    return [name, list] as const;
  });
  return Object.fromEntries(entries) as Record<(typeof SERVICE_NAMES)[number], []>;
}

describe("topology", () => {
  it("gives a process its own ports, the servers and every peer", () => {
    const all = addresses();
    const [, second] = all["ws-gateway"];
    assert.ok(second);
    const env = environmentOf(second, all, servers, loadInfraConfig({}));
    assert.equal(env.OCEANCHAT_INSTANCE, "ws-gateway-2");
    assert.equal(env.OCEANCHAT_WS_PORT, String(second.ports.ws));
    assert.equal(env.OCEANCHAT_ADVERTISED_HOST, "127.0.0.1");
    assert.equal(env.OCEANCHAT_NATS_URL, "nats://n");
    assert.equal(env.OCEANCHAT_MONGODB_DATABASE, "oceanchat");
    assert.equal(env.OCEANCHAT_WS_GATEWAY_ADDRESSES?.split(",").length, 2);
    assert.equal(env.OCEANCHAT_PERSISTENCE_WRITER_ADDRESSES, `127.0.0.1:${all["persistence-writer"][0]?.ports.mesh}`);
  });

  it("has records appended in batches where NATS syncs each publish, unless it is told otherwise", () => {
    const all = addresses();
    const [message] = all.message;
    assert.ok(message);
    const told = (env: Record<string, string>) => {
      const config = loadInfraConfig(env);
      const own = { ...config.inherited, ...environmentOf(message, all, servers, config) };
      const single = { ...config.inherited, ...standaloneEnvironment(all, servers, config) };
      assert.equal(single.OCEANCHAT_MESSAGE_BATCH_RECORDS, own.OCEANCHAT_MESSAGE_BATCH_RECORDS);
      return own.OCEANCHAT_MESSAGE_BATCH_RECORDS;
    };
    const always = { OCEANCHAT_NATS_SYNC_INTERVAL: "always" };
    assert.equal(told(always), "256");
    assert.equal(told({ ...always, OCEANCHAT_MESSAGE_BATCH_RECORDS: "1" }), "1");
    assert.equal(told({ OCEANCHAT_NATS_SYNC_INTERVAL: "10s" }), undefined);
    assert.equal(told({}), undefined);
  });

  it("starts gateways with a small young generation, and everything with the flags that it is told", () => {
    const config = loadInfraConfig({ OCEANCHAT_NODE_FLAGS: "--max-semi-space-size=32 --cpu-prof" });
    assert.deepEqual(nodeFlagsOf("auth", config), ["--max-semi-space-size=32", "--cpu-prof"]);
    // Of a flag that comes twice, node takes the last.
    const [own, ...told] = nodeFlagsOf("ws-gateway", config);
    assert.deepEqual(told, ["--max-semi-space-size=32", "--cpu-prof"]);
    const { scripts } = JSON.parse(readFileSync(join(layoutOf().root, "services/ws-gateway/package.json"), "utf8"));
    assert.equal(scripts.start, `node ${own} src/main.ts`);
  });

  it("stops the gateways first and whoever is asked last", () => {
    const order = stopOrder(addresses());
    assert.deepEqual(order[0], ["ws-gateway-1", "ws-gateway-2"]);
    assert.ok(order.at(-1)?.includes("auth-1"));
    assert.equal(order.flat().length, SERVICE_NAMES.length + 1);
  });

  it("tells where only the started services are", () => {
    const endpoints = endpointsOf("mesh", addresses(), new Set(["auth"]), servers, undefined, () => 7);
    assert.equal(endpoints.edge, "");
    assert.deepEqual(endpoints.services.user, []);
    assert.deepEqual(endpoints.services.auth, [
      { instance: "auth-1", pid: 7, mesh: "127.0.0.1:30000", public: "127.0.0.1:30001" },
    ]);
  });

  it("writes one cluster for each public door, all gateways in the sockets' ones", () => {
    const all = addresses();
    const {
      resources,
    }: { resources: { name: string; load_assignment: { endpoints: [{ lb_endpoints: unknown[] }] } }[] } = parse(
      laptopClusters(all),
    );
    assert.deepEqual(
      resources.map(({ name }) => name),
      ["auth", "user", "group", "message", "presence", "query", "push", "jwks", "ws_gateway", "tcp_gateway", "otel"],
    );
    const sockets = resources.find(({ name }) => name === "ws_gateway");
    assert.equal(sockets?.load_assignment.endpoints[0].lb_endpoints.length, 2);
  });

  it("has Envoy find the gateways by Unix sockets where their names fit, else by their ports", async () => {
    const ports = new Ports();
    try {
      const near = await assignAddresses(ports, {}, "/run/oceanchat");
      const [first, second] = ["/run/oceanchat/ws-gateway-1.sock", "/run/oceanchat/ws-gateway-2.sock"];
      assert.deepEqual(webSocketDoors(near), [first, second]);
      assert.ok(laptopClusters(near).includes(`path: ${second}`));
      const config = loadInfraConfig({});
      const [gateway] = near["ws-gateway"];
      assert.ok(gateway);
      assert.equal(environmentOf(gateway, near, servers, config).OCEANCHAT_WS_SOCKET, first);
      assert.equal(standaloneEnvironment(near, servers, config).OCEANCHAT_WS_SOCKET, first);
      const far = await assignAddresses(ports, {}, `/${"x".repeat(100)}`);
      assert.deepEqual(
        webSocketDoors(far),
        far["ws-gateway"].map((each) => `127.0.0.1:${each.ports.ws}`),
      );
    } finally {
      await ports.release();
    }
  });
});
