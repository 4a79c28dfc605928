import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { get } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { envoyRefusals } from "@oceanchat/infra/envoy-check";
import { grpcHealthProbe } from "@oceanchat/infra/grpc-health";
import { layoutOf } from "@oceanchat/infra/layout";
import { LockHeldError } from "@oceanchat/infra/lock";
import { startTimeOf } from "@oceanchat/infra/process-identity";
import { type Mesh, type MeshOptions, startMesh } from "@oceanchat/infra/supervisor";
import { temporaryFolder } from "../support/temporary.ts";

const service = (): string => join(import.meta.dirname, "../support/fake-service.ts");

describe("startMesh", function () {
  this.timeout(300_000); // a fresh machine installs the wheels first
  let dataDir: string;
  let options: MeshOptions;
  let mesh: Mesh;

  before(async () => {
    dataDir = await mkdtemp(join(tmpdir(), "oceanchat-mesh-"));
    const only = ["auth", "message", "ws-gateway"] as const;
    options = { dataDir, ports: "free", quiet: true, layout: { service }, only, edge: true };
    mesh = await startMesh(options);
  });
  after(async () => {
    await mesh.stop();
    await rm(dataDir, { recursive: true });
  });

  const written = async (): Promise<Mesh["endpoints"]> =>
    JSON.parse(await readFile(join(dataDir, "endpoints.json"), "utf8"));
  const meshPort = (): number => Number(mesh.endpoints.services.message[0]?.mesh.split(":")[1]);

  it("starts the services behind Envoy and tells where they are", async () => {
    assert.equal((await fetch(`${mesh.endpoints.edge}/healthz`)).status, 200);
    await grpcHealthProbe(meshPort())(AbortSignal.timeout(10_000));
    const endpoints = await written();
    assert.deepEqual(endpoints, mesh.endpoints);
    assert.deepEqual(
      endpoints.services["ws-gateway"].map(({ instance, ws, tcp }) => [instance, ws !== tcp]),
      [
        ["ws-gateway-1", true],
        ["ws-gateway-2", true],
      ],
    );
    assert.equal(endpoints.services.auth[0]?.pid, mesh.process("auth-1").pid);
  });

  it("serves TLS with a certificate that clients can be told to trust", async () => {
    const ca = await readFile(mesh.endpoints.certificate);
    const request = get(`${mesh.endpoints.edgeTls}/healthz`, { ca, agent: false });
    const [response] = await once(request, "response");
    assert.equal(response.statusCode, 200);
    response.resume();
  });

  it("restarts a killed service on the same ports", async () => {
    const [before, port] = [mesh.process("message-1"), meshPort()];
    await mesh.kill("message-1");
    assert.equal(startTimeOf(before.pid), undefined);
    assert.equal(mesh.process("message-1").pid, 0);
    await mesh.untilReady("message-1");
    assert.equal(meshPort(), port);
    await grpcHealthProbe(port)(AbortSignal.timeout(10_000));
    const { pid, restarts } = mesh.process("message-1");
    assert.equal(restarts, before.restarts + 1);
    while ((await written()).services.message[0]?.pid !== pid) await delay(10);
  });

  it("restarts Envoy and every server", async () => {
    const { edge } = mesh.endpoints;
    await Promise.all(["envoy", "nats", "valkey", "mongodb"].map((instance) => mesh.kill(instance)));
    await mesh.untilReady();
    assert.equal((await fetch(`${edge}/healthz`)).status, 200);
  });

  it("only passes on a signal that does not end a process", async () => {
    const { pid } = mesh.process("auth-1");
    await mesh.kill("auth-1", "SIGSTOP");
    await assert.rejects(
      grpcHealthProbe(Number(mesh.endpoints.services.auth[0]?.mesh.split(":")[1]))(AbortSignal.timeout(200)),
    );
    await mesh.kill("auth-1", "SIGCONT");
    assert.equal(mesh.process("auth-1").pid, pid);
  });

  it("refuses a second supervisor, stops all, and starts again at the same ports", async () => {
    await assert.rejects(startMesh(options), LockHeldError);
    const { endpoints } = mesh;
    const pids = Object.values(endpoints.services).flatMap((list) => list.map(({ pid }) => pid));
    await mesh.stop();
    assert.deepEqual(
      pids.map(startTimeOf),
      pids.map(() => undefined),
    );
    assert.equal(existsSync(join(dataDir, "endpoints.json")), false);
    assert.match(await readFile(join(dataDir, "logs/ws-gateway-2.log"), "utf8"), /ws-gateway-2 drained/);
    mesh = await startMesh(options);
    assert.deepEqual(mesh.endpoints.infra, endpoints.infra);
    assert.equal(mesh.endpoints.edge, endpoints.edge);
  });

  it("says which port is taken and what chooses another", async () => {
    const taken = new URL(mesh.endpoints.edge).port;
    process.env.OCEANCHAT_EDGE_PORT = taken;
    const folder = await mkdtemp(join(tmpdir(), "oceanchat-mesh-"));
    try {
      const second = startMesh({ ...options, dataDir: folder, ports: "fixed" });
      await assert.rejects(second, new RegExp(`port ${taken} is in use; OCEANCHAT_EDGE_PORT chooses another`));
    } finally {
      delete process.env.OCEANCHAT_EDGE_PORT;
      await rm(folder, { recursive: true });
    }
  });
});

describe("envoyRefusals", function () {
  this.timeout(300_000);
  const folder = temporaryFolder();
  const layout = layoutOf();

  async function changed(file: string, change: (text: string) => string): Promise<string[]> {
    await cp(layout.envoy, folder.path, { recursive: true });
    const path = join(folder.path, file);
    const before = await readFile(path, "utf8");
    assert.notEqual(change(before), before);
    await writeFile(path, change(before));
    return envoyRefusals({ ...layout, envoy: folder.path });
  }

  it("finds nothing in the edge's configuration", async () => {
    assert.deepEqual(await envoyRefusals(layout), []);
  });

  it("finds a misspelt field in each file", async () => {
    const routes = await changed("rds.yaml", (text) => text.replace("validate_clusters", "validate_cluster"));
    assert.match(routes.join("\n"), /rds.*update_rejected: 1[\s\S]*validate_cluster/);
    const listeners = await changed("lds.yaml", (text) => text.replace("merge_slashes", "merge_slash"));
    assert.match(listeners.join("\n"), /lds.*update_rejected: 1[\s\S]*merge_slash/);
    const bootstrap = await changed("envoy.yaml", (text) => text.replace("ignore_global_conn_limit", "ignore_limit"));
    assert.match(bootstrap.join("\n"), /mode validate[\s\S]*ignore_limit/);
  });

  it("finds a route to a cluster that does not exist", async () => {
    const routes = await changed("rds.yaml", (text) => text.replace("cluster: user", "cluster: users"));
    assert.match(routes.join("\n"), /update_rejected: 1/);
  });
});
