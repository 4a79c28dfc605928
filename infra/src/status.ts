import type { Child, Death } from "./child.ts";

/** What people read on the terminal of `make up`. */
export type Status = {
  say(line: string): void;
  ready(child: Child): void;
  died(child: Child, pid: number, death: Death): void;
};

/** quiet keeps only what nobody asked for: a process that died by itself. */
export function createStatus(quiet: boolean, write: (text: string) => void): Status {
  const line = (text: string): void => write(`${text}\n`);
  return {
    say: (text) => (quiet ? undefined : line(text)),
    ready: (child) => (quiet ? undefined : line(readyLine(child))),
    died: (child, pid, death) => {
      if (quiet && death.intended) return;
      const died = death.again ? "died again before it was ready" : "died";
      line(`✗ ${child.spec.instance} (pid ${pid}) ${died}: ${death.reason}; it is started again`);
      if (death.again) return;
      for (const text of death.lastLines) line(`    ${text}`);
    },
  };
}

function readyLine(child: Child): string {
  const ports = Object.entries(child.spec.ports).map(([name, port]) => `${name} ${port}`);
  const again = child.restarts === 0 ? "" : `, restart ${child.restarts}`;
  return `✔ ${child.spec.instance.padEnd(20)} pid ${String(child.pid).padEnd(8)} ${ports.join("  ").padEnd(44)} ready in ${child.readyAfterMs} ms${again}`;
}
