import { join, resolve } from "node:path";

/** Where everything lives. Tests of infra replace single entries; nobody else has a reason to. */
export type Layout = {
  readonly root: string;
  /** The entry file of a service. */
  readonly service: (name: string) => string;
  /** The entry file of all services in one process. */
  readonly standalone: string;
  /** Folder with envoy.yaml, lds.yaml, rds.yaml. */
  readonly envoy: string;
  readonly descriptors: string;
  readonly requirements: string;
  /** Everything that can be made again: servers, caches, the data of `make up`. */
  readonly state: string;
  readonly venv: string;
  readonly cargo: string;
};

export const repositoryRoot = resolve(import.meta.dirname, "../..");

export function layoutOf(root: string = repositoryRoot): Layout {
  const state = join(root, ".oceanchat");
  return {
    root,
    service: (name) => join(root, "services", name, "src/main.ts"),
    standalone: join(root, "standalone/src/main.ts"),
    envoy: join(root, "envoy"),
    descriptors: join(root, "gen/descriptors.binpb"),
    requirements: join(root, "infra/requirements.txt"),
    state,
    venv: join(state, "venv"),
    cargo: join(state, "cargo"),
  };
}
