/**
 * Both local push providers as one process: `node main.ts --folder <path> [--apns-port n] [--fcm-port n] [--control-port n]`.
 * Keys and ports are kept in the folder, so that a pusher configured for them outlives a restart. When everything
 * listens, `<folder>/push-providers.json` says where (and the environment for the pusher), and the same goes to stdout.
 */
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { startApnsServer } from "./apns-server.ts";
import { startControl } from "./control.ts";
import { startFcmServer } from "./fcm-server.ts";
import { asObject, jsonObject } from "./json.ts";

const { values } = parseArgs({
  options: {
    folder: { type: "string" },
    "apns-port": { type: "string" },
    "fcm-port": { type: "string" },
    "control-port": { type: "string" },
  },
});
const folder = values.folder;
if (folder === undefined) throw new Error("--folder is missing: where keys and ports are kept");

const file = join(folder, "push-providers.json");
const before = existsSync(file) ? asObject(jsonObject(readFileSync(file))?.ports) : undefined;
const portOf = (name: "apns" | "fcm" | "control"): number => Number(values[`${name}-port`] ?? before?.[name] ?? 0);

const apns = await startApnsServer({ folder: join(folder, "apns"), port: portOf("apns") });
const fcm = await startFcmServer({ folder: join(folder, "fcm"), port: portOf("fcm") });
const control = await startControl(apns, fcm, portOf("control"));

const stop = async (): Promise<void> => {
  await Promise.all([control.close(), apns.close(), fcm.close()]);
};
process.once("SIGTERM", () => void stop());
process.once("SIGINT", () => void stop());

const where = {
  pid: process.pid,
  control: `http://127.0.0.1:${control.port}`,
  ports: { apns: apns.port, fcm: fcm.port, control: control.port },
  environment: { ...apns.environment, ...fcm.environment },
};
writeFileSync(`${file}.new`, `${JSON.stringify(where, undefined, 2)}\n`);
renameSync(`${file}.new`, file); // whoever reads it finds all of it
process.stdout.write(`${JSON.stringify(where)}\n`);
