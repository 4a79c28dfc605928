import type { Arguments } from "./arguments.ts";
import type { Ran } from "./budgets.ts";
import { HopReceiver } from "./hops.ts";
import { type Conditions, table } from "./report.ts";
import type { RunResult } from "./result.ts";
import { runScenario } from "./run.ts";
import type { Scenario } from "./scenario.ts";
import { modeOf, runningTarget, startTarget, type Target } from "./target.ts";

/** What scenarios need a mesh to be. */
type Needs = Pick<Scenario, "natsSyncInterval" | "environment">;

/** A mesh and the scenarios that are run against it. */
export class Session {
  readonly #asked: Arguments;
  readonly #hops: HopReceiver | undefined;
  #target: Target | undefined;
  #stop: Target["stop"] | undefined;

  private constructor(asked: Arguments, hops: HopReceiver | undefined) {
    this.#asked = asked;
    this.#hops = hops;
  }

  /** Starts a mesh, or takes the one that runs. `began` gets the session as soon as it can be stopped. */
  static async open(asked: Arguments, needs: Needs, began: (session: Session) => void): Promise<Session> {
    if (asked.endpoints !== undefined && (needs.natsSyncInterval !== "" || Object.keys(needs.environment).length > 0)) {
      throw new Error(
        "a scenario that says natsSyncInterval or environment needs a mesh of its own: leave --endpoints out",
      );
    }
    const session = new Session(asked, asked.hops ? await HopReceiver.open() : undefined);
    began(session);
    process.stderr.write(asked.endpoints === undefined ? "starting a mesh\n" : `using ${asked.endpoints}\n`);
    session.#target =
      asked.endpoints === undefined
        ? await startTarget({ otlpUrl: session.#hops?.url, ...needs, mode: await modeOf(asked) }, (stop) => {
            session.#stop = stop;
          })
        : await runningTarget(asked.endpoints);
    return session;
  }

  get how(): Conditions {
    const { direct, threads } = this.#asked;
    return { direct, threads, store: this.#target?.store ?? "unknown", mode: this.#target?.mode ?? "mesh" };
  }

  /** Runs a scenario as often as was asked for. */
  async run(scenario: Scenario, say: (line: string) => void): Promise<Ran> {
    const target = this.#target;
    if (target === undefined) throw new Error("the mesh has not been started");
    const { runs: count, direct, threads } = this.#asked;
    const runs: RunResult[] = [];
    for (let number = 1; number <= count; number++) {
      const tell = (line: string): void => say(`${scenario.name} ${number}/${count}: ${line}`);
      runs.push(await runScenario({ target, hops: this.#hops, scenario, direct, threads, say: tell }));
    }
    return { scenario, runs };
  }

  table({ scenario, runs }: Ran): string {
    return table(scenario, runs, this.how);
  }

  /** Ends what was started; `now` does not wait for anybody. */
  async stop(now: boolean): Promise<void> {
    await this.#stop?.(now);
    this.#hops?.close();
  }
}
