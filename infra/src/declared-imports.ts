import { builtinModules } from "node:module";
import { type Finding, importsOf, type Source, unitOf } from "./import-rules.ts";

/** What of a package.json says what the package's files may import. */
export type Manifest = {
  readonly name: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
};

/** Every import of a package that the importing one doesn't declare: it only works as long as another one declares it. */
export function undeclaredFindings(
  sources: readonly Source[],
  manifestOf: (unit: string) => Manifest | undefined,
): Finding[] {
  return sources.flatMap(({ path, text }) => {
    const manifest = manifestOf(unitOf(path));
    if (manifest === undefined) return [];
    return importsOf(text).flatMap(({ from, line }) => {
      const name = packageOf(from);
      if (name === undefined || name === manifest.name || isDeclared(manifest, name, path)) return [];
      return [{ path, line, problem: `${name} is not in the dependencies of ${manifest.name}` }];
    });
  });
}

/** Tests may also use what is there for development only. */
function isDeclared({ dependencies, devDependencies }: Manifest, name: string, path: string): boolean {
  const declared = path.includes("/src/") ? dependencies : { ...dependencies, ...devDependencies };
  return Object.hasOwn(declared ?? {}, name);
}

/** Undefined for files and for what is part of Node. */
function packageOf(from: string): string | undefined {
  if (from.startsWith(".") || from.startsWith("node:") || builtinModules.includes(from)) return undefined;
  return from
    .split("/")
    .slice(0, from.startsWith("@") ? 2 : 1)
    .join("/");
}
