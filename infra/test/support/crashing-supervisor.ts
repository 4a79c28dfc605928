// Starts one process and then waits to be killed: argv is the data folder.
import { Processes } from "@oceanchat/infra/processes";
import { createStatus } from "@oceanchat/infra/status";

const [dataDir = "."] = process.argv.slice(2);
const processes = await Processes.open({ dataDir, status: createStatus(true, console.error) });
await processes.start([
  {
    instance: "sleeper-1",
    command: "sleep",
    args: ["600"],
    env: { PATH: process.env.PATH ?? "" },
    cwd: dataDir,
    ports: {},
    ready: () => Promise.resolve(),
    logFile: `${dataDir}/sleeper-1.log`,
  },
]);
console.log(processes.pidOf("sleeper-1"));
