// The package that ships, for measuring: memory of a process that runs .ts includes the stripper's, and its code is another.

import { mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { stripTypeScriptTypes } from "node:module";
import { buildPackage } from "#tools/package.ts";

const root = join(import.meta.dirname, "..", "..");

/**
 * Builds the package into a directory, where its dependencies are found. `programs` (paths from the repository's root) are of the bench:
 * they come beside it as JavaScript, and their # imports lead into the package.
 */
export async function compileInto(directory: string, programs: readonly string[] = []): Promise<void> {
  await buildPackage(directory);
  await symlink(join(root, "node_modules"), join(directory, "node_modules"));
  for (const program of programs) {
    const target = join(directory, program.replace(/\.ts$/, ".js"));
    await mkdir(dirname(target), { recursive: true });
    await writeFile(target, stripTypeScriptTypes(await readFile(join(root, program), "utf8")));
  }
}
