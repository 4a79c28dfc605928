import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { get, type IncomingMessage } from "node:http";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { listenOnUnixSocket } from "../../src/unix-socket.ts";
import { hint, WsClient } from "../support/clients.ts";
import { RunningGateway } from "../support/gateway.ts";

/** A socket that nobody listens on any more, as a killed process leaves it. */
async function leaveSocket(path: string): Promise<void> {
  const server = createServer().listen(path);
  await once(server, "listening");
  await rename(path, `${path}.kept`);
  server.close();
  await once(server, "close");
  await rename(`${path}.kept`, path);
}

describe("the Unix socket", () => {
  let folder = "";
  let path = "";

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "oceanchat-socket-"));
    path = join(folder, "ws.sock");
  });
  after(() => rm(folder, { recursive: true }));

  it("takes WebSockets like the port, in place of a socket that was left there", async () => {
    await leaveSocket(path);
    const gateway = await RunningGateway.start({ OCEANCHAT_WS_SOCKET: path });
    const clients = [await WsClient.connect(path), await WsClient.connect(gateway.at.wsPort)];
    const connectionIds = clients.map(({ connectionId }) => connectionId);
    const { unknownConnectionIds } = await gateway.deliver.call({ connectionIds, payload: hint("g_1", 9n) });
    assert.deepEqual(unknownConnectionIds, []);
    for (const client of clients) assert.equal((await client.event("hint")).value.headSeq, 9n);
    const request = get({ socketPath: path, path: "/healthz", agent: false });
    const [response]: IncomingMessage[] = await once(request, "response");
    assert.equal(response?.statusCode, 200);
    response.resume();
    const closed = clients.map((client) => client.closed);
    await gateway.stop();
    for (const { code } of await Promise.all(closed)) assert.equal(code, 1012);
  });

  it("counts who comes by the address that the edge tells", async () => {
    const gateway = await RunningGateway.start({
      OCEANCHAT_WS_SOCKET: path,
      OCEANCHAT_MAX_CONNECTIONS_PER_ADDRESS: "1",
    });
    const from = (address: string) => ({ headers: { "x-forwarded-for": address } });
    await WsClient.connect(path, from("10.0.0.1"));
    assert.equal((await WsClient.refused(path, from("10.0.0.1"))).status, 429);
    await WsClient.connect(path, from("10.0.0.2"));
    await gateway.stop();
  });

  it("leaves a file that is no socket alone", async () => {
    const file = join(folder, "letter");
    await writeFile(file, "dear");
    await assert.rejects(listenOnUnixSocket(createServer(), file), /EADDRINUSE/);
    assert.equal(await readFile(file, "utf8"), "dear");
  });
});
