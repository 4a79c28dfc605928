import { plantedBugs } from "./planted/bugs.ts";
import { copyTree } from "./planted/copy.ts";
import { deliveryBugs } from "./planted/delivery.ts";
import { plantAndTest } from "./planted/plant.ts";
import { stormBugs } from "./planted/storm.ts";

// Plants bugs, one at a time, in a copy of the project, and runs the test that must catch each of them. Words on the command line
// choose bugs by name: node tests/planted.ts ack cursor. The exit code is 1 when a bug was not caught.

const words = process.argv.slice(2);
const bugs = [...plantedBugs, ...deliveryBugs, ...stormBugs];
const chosen = bugs.filter(({ name }) => words.length === 0 || words.some((word) => name.includes(word)));
let failed = chosen.length === 0 ? 1 : 0;
if (failed > 0) console.error(`no such bug; there are ${bugs.map(({ name }) => name).join(", ")}`);
for (const bug of chosen) {
  const tree = await copyTree();
  try {
    const { caught, why, seconds } = await plantAndTest(tree.root, bug);
    if (!caught) failed++;
    console.log(
      `${caught ? "caught" : "NOT CAUGHT"}  ${bug.name}  by ${bug.test.spec} "${bug.test.name}"  (${seconds} s)\n    ${why}`,
    );
  } finally {
    await tree.remove();
  }
}
console.log(`${chosen.length - failed} caught, ${failed} not caught`);
process.exitCode = failed === 0 ? 0 : 1;
