import { readFileSync } from "node:fs";
import { join } from "node:path";
import { addresses, type Env, readConfig, text } from "@oceanchat/runtime/config";
import { mongoKeys, natsKeys } from "@oceanchat/runtime/server-keys";
import { CommandError } from "./errors.ts";

/** Where the tool finds what it reads: the services' own variables. */
export const cliKeys = {
  ...natsKeys,
  ...mongoKeys,
  persistenceWriter: addresses(
    "OCEANCHAT_PERSISTENCE_WRITER_ADDRESSES",
    "Mesh doors of persistence-writer, which moves records into the archive.",
    "dns:oceanchat-persistence-writer-headless:8082",
  ),
} as const;

const endpointsKey = {
  endpointsFile: text(
    "OCEANCHAT_ENDPOINTS_FILE",
    "Where a running `make up` says how it is reached; used for what no variable says.",
    join(".oceanchat", "endpoints.json"),
  ),
} as const;

/** Every key of the tool, for `--help`. */
export const allKeys = { ...cliKeys, ...endpointsKey };

/** What of endpoints.json the tool uses. */
interface Endpoints {
  readonly infra?: { readonly nats?: string; readonly mongodb?: string };
  readonly services?: Readonly<Record<string, readonly { readonly mesh?: string; readonly pid?: number }[]>>;
}

/** Reads the environment, and for what it doesn't say the endpoints of a `make up` that runs in this folder. */
export function readCliConfig(env: Env) {
  const { endpointsFile } = readConfig(endpointsKey, env);
  const running = endpointsIn(endpointsFile);
  const writers = running.services?.["persistence-writer"] ?? [];
  const found: Env = {
    [cliKeys.natsUrl.name]: running.infra?.nats,
    [cliKeys.mongodbUrl.name]: running.infra?.mongodb,
    [cliKeys.persistenceWriter.name]: writers.flatMap(({ mesh }) => mesh ?? []).join(","),
  };
  const said = Object.entries(env).filter(([, value]) => value !== undefined && value !== "");
  return readConfig(cliKeys, { ...found, ...Object.fromEntries(said) });
}

/** What the tool was told. */
export type CliConfig = ReturnType<typeof readCliConfig>;

function endpointsIn(file: string): Endpoints {
  let content: string;
  try {
    content = readFileSync(file, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return {};
    throw error;
  }
  try {
    return JSON.parse(content) as Endpoints;
  } catch (error) {
    throw new CommandError(`${file} can't be read`, { cause: error });
  }
}
