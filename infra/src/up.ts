// make up: the whole mesh on this machine, until Ctrl-C.
import { join } from "node:path";
import { layoutOf } from "./layout.ts";
import { LockHeldError } from "./lock.ts";
import { type Mesh, startMesh } from "./supervisor.ts";

const { state } = layoutOf();

type Stop = { gently(): Promise<void>; force(): Promise<void> };
let stop: Stop | undefined;
let signals = 0;

function onSignal(signal: NodeJS.Signals): void {
  signals += 1;
  if (signals === 1) console.log(`\n${signal}: stopping in order; once more forces it`);
  const stopped = signals === 1 ? stop?.gently() : stop?.force();
  (stopped ?? Promise.resolve()).then(
    () => process.exit(signals === 1 ? 0 : 1),
    (error: unknown) => fail(error),
  );
}

function fail(error: unknown): never {
  const held = error instanceof LockHeldError;
  const why = error instanceof Error ? error.message : String(error);
  console.error(held ? `It already runs (pid ${error.ownerPid}); "make down" stops it.` : `\n${why}`);
  process.exit(1);
}

function welcome({ endpoints }: Mesh, seconds: string): string {
  const body = `{"username":"alice","password":"correct horse battery","displayName":"Alice","device":{"deviceId":"laptop-1","platform":"PLATFORM_WEB","name":"curl"}}`;
  return [
    "",
    `OceanChat is up${endpoints.mode === "standalone" ? " in one process" : ""}, ${seconds} s.`,
    `  REST, Connect, gRPC   ${endpoints.edge}   ${endpoints.edgeTls} (certificate ${endpoints.certificate})`,
    `  WebSocket             ${endpoints.ws}`,
    `  TCP with TLS          ${endpoints.tcp}`,
    `  logs                  make logs SERVICE=auth        everything else: .oceanchat/endpoints.json`,
    "",
    "Try it:",
    `  curl -s ${endpoints.edge}/auth/register -H 'content-type: application/json' \\`,
    `    -d '${body}'`,
    "",
    "Ctrl-C stops everything.",
  ].join("\n");
}

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, onSignal);
try {
  const mesh = await startMesh({
    dataDir: join(state, "data"),
    ports: "fixed",
    servers: "any",
    endpointsFile: join(state, "endpoints.json"),
    onStop: (given) => {
      stop = given;
    },
  });
  console.log(welcome(mesh, (performance.now() / 1000).toFixed(1)));
} catch (error) {
  if (signals === 0) fail(error); // else the handler above is stopping everything and ends the process
}
