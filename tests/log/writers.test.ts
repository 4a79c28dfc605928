import assert from "node:assert/strict";
import { check } from "./checker.ts";
import { atRest } from "./support/at-rest.ts";
import { createGroup, registerUser } from "./support/log-user.ts";
import { Recorder, saying } from "./support/recorder.ts";
import { logMesh } from "./support/shared-mesh.ts";

const APPENDS = Number(process.env.OCEANCHAT_TEST_APPENDS ?? 3_000);
/** Appends of each instance that wait for their answers: what one conversation may have waiting is 256. */
const AT_ONCE = 64;

describe("two instances of message that write one conversation at full speed", () => {
  it("leave no gap and no duplicate, and both make progress", async function () {
    this.timeout(120_000);
    const mesh = logMesh();
    const [ann, bob] = await Promise.all([registerUser(mesh, "ann"), registerUser(mesh, "bob")]);
    const conversationId = await createGroup([ann, bob]);
    const recorder = new Recorder(mesh);
    const written = [0, 0];
    let begun = 0;
    const write = async (instance: number) => {
      for (let number = begun++; number < APPENDS; number = begun++) {
        const operation = recorder.begin(saying(instance === 0 ? ann : bob, conversationId, `append ${number}`));
        const outcome = await recorder.resolve(operation, instance - 1, 1);
        if (outcome.kind === "ok") written[instance] = (written[instance] ?? 0) + 1;
        else await recorder.resolve(operation, instance - 1);
      }
    };
    const began = performance.now();
    await Promise.all(Array.from({ length: 2 * AT_ONCE }, (_, index) => write(index % 2)));
    const seconds = (performance.now() - began) / 1000;
    const [first = 0, second = 0] = written.map((count) => Math.round(count / seconds));
    console.log(`      ${APPENDS} appends: ${first} + ${second} a second; ${JSON.stringify(recorder.counts())}`);
    const final = await atRest(mesh, [ann, bob], [conversationId]);
    assert.deepEqual(check(recorder.history, final), []);
    assert.equal(final.stream.length, APPENDS + 1);
    for (const count of written) assert.ok(count > APPENDS / 10, `the instances wrote ${written.join(" and ")}`);
  });
});
