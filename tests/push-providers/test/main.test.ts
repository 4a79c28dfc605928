import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import apn from "@parse/node-apn";
import { asObject, jsonObject } from "../json.ts";

const MAIN = fileURLToPath(new URL("../main.ts", import.meta.url));
const DEVICE = "ab".repeat(32);

describe("both providers as a process", () => {
  let folder: string;
  let child: ChildProcess | undefined;

  before(() => {
    folder = mkdtempSync(join(tmpdir(), "push-providers-"));
  });
  afterEach(() => stop());
  after(() => rmSync(folder, { recursive: true }));

  async function start(): Promise<Record<string, unknown>> {
    child = spawn(process.execPath, [MAIN, "--folder", folder], { stdio: ["ignore", "pipe", "inherit"] });
    if (child.stdout === null) throw new Error("no stdout");
    const [line] = await once(createInterface(child.stdout), "line");
    return jsonObject(Buffer.from(String(line))) ?? {};
  }

  async function stop(): Promise<number | null> {
    if (child === undefined) return null;
    const exited = once(child, "exit");
    child.kill("SIGTERM");
    child = undefined;
    const [code] = await exited;
    return code;
  }

  it("shows another process what they received, also while it waits", async () => {
    const where = await start();
    assert.deepEqual(jsonObject(readFileSync(join(folder, "push-providers.json"))), where);
    const environment: Record<string, unknown> = asObject(where.environment) ?? {};
    const seen = fetch(`${where.control}/requests?provider=apns&recordId=r1&waitMs=5000`);
    const provider = new apn.Provider({
      token: {
        key: String(environment.OCEANCHAT_APNS_KEY_FILE),
        keyId: String(environment.OCEANCHAT_APNS_KEY_ID),
        teamId: String(environment.OCEANCHAT_APNS_TEAM_ID),
      },
      address: "localhost",
      port: Number(String(environment.OCEANCHAT_APNS_HOST).split(":")[1]),
      ca: [String(environment.OCEANCHAT_APNS_CA_FILE)],
    });
    const topic = String(environment.OCEANCHAT_APNS_TOPIC);
    await provider.send(
      new apn.Notification({ topic, pushType: "alert", alert: "x", payload: { recordId: "r1" } }),
      DEVICE,
    );
    await new Promise<void>((resolve) => void provider.shutdown(resolve));
    const { requests } = Object(await (await seen).json());
    assert.deepEqual([requests.length, requests[0].token, requests[0].status], [1, DEVICE, 200]);
    const none = await fetch(`${where.control}/requests?provider=fcm&waitMs=20`);
    assert.deepEqual(await none.json(), { requests: [] });
  });

  it("come back with the same keys on the same ports", async () => {
    const first = await start();
    assert.equal(await stop(), 0);
    const second = await start();
    assert.deepEqual([second.ports, second.environment], [first.ports, first.environment]);
    const environment: Record<string, unknown> = asObject(second.environment) ?? {};
    const ca = readFileSync(String(environment.OCEANCHAT_FCM_CA_FILE));
    const call = request(`https://${environment.OCEANCHAT_FCM_HOST}/v1`, { ca, agent: false });
    call.end();
    const [response] = await once(call, "response");
    assert.equal(response.statusCode, 404);
    response.resume();
  });
});
