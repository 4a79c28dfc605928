import assert from "node:assert/strict";
import { sumOf } from "../support/device/diary.ts";
import { Fleet } from "../support/device/fleet.ts";
import { type Installation, startInstallation } from "../support/installation.ts";

/** With OCEANCHAT_TEST_FAULTS=full: as many messages a second as an installation of this size is asked to bear. */
const full = process.env.OCEANCHAT_TEST_FAULTS === "full";
const PER_SECOND = full ? 200 : 30;
const DEVICES = full ? 40 : 10;
/** How long there is peace between two restarts, in milliseconds. */
const PEACE_MS = full ? 2_000 : 200;
const DRAIN_MS = full ? 5_000 : 1_500;

const TWO = { router: 2, message: 2, orchestrator: 2, "pusher-realtime": 2 } as const;
const ROLLED = [
  ...["ws-gateway-1", "ws-gateway-2", "router-1", "router-2", "message-1", "message-2"],
  ...["orchestrator-1", "orchestrator-2", "pusher-realtime-1", "pusher-realtime-2"],
];

describe(`a rolling restart under ${PER_SECOND} messages a second`, () => {
  let at: Installation;
  let fleet: Fleet;

  before(async function () {
    this.timeout(300_000);
    at = await startInstallation({ OCEANCHAT_DRAIN_MS: String(DRAIN_MS) }, { mode: "mesh", instances: TWO });
    fleet = await Fleet.gather(at.at, DEVICES);
    fleet.start(PER_SECOND);
  });

  after(async function () {
    this.timeout(60_000);
    await fleet?.end();
    await at?.stop();
  });

  for (const instance of ROLLED) {
    it(`${instance} goes and comes back`, async function () {
      this.timeout(90_000);
      const { mesh } = at;
      const { pid } = mesh.process(instance);
      await mesh.kill(instance, "SIGTERM");
      await mesh.untilReady(instance);
      assert.notEqual(mesh.process(instance).pid, pid);
      await new Promise((resolve) => setTimeout(resolve, PEACE_MS));
    });
  }

  it("cost nobody anything but a repeat", async function () {
    this.timeout(180_000);
    await fleet.finish(90_000);
    const sent = fleet.messages.length;
    const { devices } = fleet;
    const diaries = devices.map(({ diary }) => diary);
    console.log(
      JSON.stringify({
        sent,
        seconds: Math.round(fleet.seconds),
        repeats: sumOf(diaries.map(({ retries }) => retries)),
        closings: sumOf(diaries.map(({ closings }) => closings)),
        troubles: sumOf(diaries.map(({ troubles }) => troubles)),
        ...fleet.totals(),
      }),
    );
    assert.deepEqual(
      diaries.flatMap(({ refused }) => refused),
      [],
      "refused",
    );
    // Not by a new sync: what was pushed, and what was fetched where there was a gap, is everything.
    await fleet.untilComplete(30_000);
    assert.deepEqual(await fleet.violations(), []);
    const errors = Object.keys(sumOf(diaries.map(({ retries }) => retries))).filter((why) =>
      why.startsWith("ERROR_REASON"),
    );
    const allowed = ["ERROR_REASON_UNAVAILABLE", "ERROR_REASON_OUTCOME_UNKNOWN"];
    assert.deepEqual(
      errors.filter((why) => !allowed.includes(why)),
      [],
    );
    assert.ok(sent > fleet.seconds * PER_SECOND * 0.9, `${sent} messages in ${fleet.seconds} s`);
  });
});
