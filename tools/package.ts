// Builds what is published: dist/, a complete npm package of compiled JavaScript and type declarations. `npm pack ./dist` makes the tarball.
//
// `#` imports survive as they are written: in dist/package.json the pattern "#*.ts" points at the compiled file, so not one import
// is rewritten and a stack trace names the same modules as the sources do.

import { cp, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";

const root = join(import.meta.dirname, "..");

/** What undici, the HTTP client of every component, asks for. The sources need the newer Node that strips types. */
const NODE_OF_THE_PACKAGE = ">=22.19.0";
/** Compiled sources, by their folders; files that are published as they are. */
const CODE = ["runtime", "pulumi", "cluster-api-integration"] as const;
const DOCUMENTS = ["README.md", "CHANGELOG.md", "LICENSE", "deploy"] as const;
/** These `#` imports lead to code that is not published. */
const DEVELOPMENT_IMPORTS = ["#test/*.ts", "#tools/*.ts"] as const;

type JsonObject = Readonly<Record<string, unknown>>;

/** Compiles into `directory` (default dist/) and returns its path. */
export async function buildPackage(directory: string = join(root, "dist"), signal?: AbortSignal): Promise<string> {
  await rm(directory, { recursive: true, force: true });
  const options = { cwd: root, preferLocal: true, all: true, ...(signal === undefined ? {} : { cancelSignal: signal }) } as const;
  const { exitCode, all } = await execa("tsc", ["--project", "tsconfig.package.json", "--outDir", directory], {
    ...options,
    reject: false,
  });
  signal?.throwIfAborted();
  if (exitCode !== 0) throw new Error(`The sources do not compile\n${all}`);
  const manifest = JSON.parse(await readFile(join(root, "package.json"), "utf8")) as JsonObject;
  await writeFile(join(directory, "package.json"), `${JSON.stringify(publishedManifest(manifest), null, 2)}\n`);
  for (const file of DOCUMENTS) await cp(join(root, file), join(directory, file), { recursive: true });
  return directory;
}

/** package.json of the published package: the same, but compiled files instead of sources and no development parts. */
export function publishedManifest(manifest: JsonObject): JsonObject {
  const { scripts: _scripts, devDependencies: _devDependencies, imports, exports, bin, ...rest } = manifest;
  return {
    ...rest,
    engines: { node: NODE_OF_THE_PACKAGE },
    files: [...CODE, ...DOCUMENTS],
    imports: compiledImports(imports as Readonly<Record<string, string>>),
    bin: compiledImports(bin as Readonly<Record<string, string>>),
    exports: compiledExports(exports as Readonly<Record<string, string>>),
  };
}

/** The keys stay: every import line of ours names a `.ts` file, in compiled code too. */
function compiledImports(imports: Readonly<Record<string, string>>): JsonObject {
  const published = Object.entries(imports).filter(([key]) => !DEVELOPMENT_IMPORTS.some((development) => development === key));
  return Object.fromEntries(published.map(([key, path]) => [key, compiledPath(path)]));
}

function compiledExports(exports: Readonly<Record<string, string>>): JsonObject {
  return Object.fromEntries(
    Object.entries(exports).map(([key, path]) => [
      key,
      path.endsWith(".ts") ? { types: path.replace(/\.ts$/, ".d.ts"), default: compiledPath(path) } : path,
    ]),
  );
}

function compiledPath(path: string): string {
  return path.replace(/\.ts$/, ".js");
}

if (import.meta.main) process.stdout.write(`${await buildPackage()}\n`);
