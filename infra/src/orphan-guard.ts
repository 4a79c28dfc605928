import { type ChildProcess, spawn } from "node:child_process";

// The list arrives on standard input. Its end means that the supervisor is gone, by whatever signal: what is still
// listed then has no parent any more and is ended, first kindly.
const SCRIPT = `
trap '' INT HUP TERM
list=' '
while read -r verb pid; do
  case $verb in
    add) list="$list$pid " ;;
    remove) list="\${list%% $pid *} \${list#* $pid }" ;;
  esac
done
for pid in $list; do kill -TERM "-$pid" 2>/dev/null; done
for second in 1 2 3 4 5 6 7 8 9 10; do
  left=
  for pid in $list; do kill -0 "-$pid" 2>/dev/null && left="$left $pid"; done
  [ -z "$left" ] && exit 0
  sleep 1
done
for pid in $list; do kill -KILL "-$pid" 2>/dev/null; done
exit 0
`;

/** Ends the supervisor's children when the supervisor itself is killed (SIGKILL cannot be handled). */
export class OrphanGuard {
  readonly #process: ChildProcess;

  constructor() {
    this.#process = spawn("sh", ["-c", SCRIPT], { detached: true, stdio: ["pipe", "ignore", "ignore"] });
    const warn = (error: Error): void => {
      process.stderr.write(
        `orphan guard: ${error.message}; a SIGKILL of the supervisor would leave processes behind\n`,
      );
    };
    this.#process.on("error", warn);
    this.#process.stdin?.on("error", warn);
    this.#process.unref();
  }

  /** `pid` leads its own process group. */
  add(pid: number): void {
    this.#process.stdin?.write(`add ${pid}\n`);
  }

  remove(pid: number): void {
    this.#process.stdin?.write(`remove ${pid}\n`);
  }

  /** Call it when every child has ended. */
  close(): void {
    this.#process.stdin?.end();
  }
}
