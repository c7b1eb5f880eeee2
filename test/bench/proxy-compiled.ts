// The runtime as the JavaScript that ships, for measuring: memory of a process that runs .ts includes the stripper's.

import { mkdir, readdir, readFile, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { stripTypeScriptTypes } from "node:module";

const root = join(import.meta.dirname, "..", "..");

/** Writes runtime/ and further files (paths from the repository's root) as JavaScript into an empty directory. */
export async function compileInto(directory: string, more: readonly string[] = []): Promise<void> {
  const sources = (await readdir(join(root, "runtime"), { recursive: true }))
    .filter((path) => path.endsWith(".ts") && !path.endsWith(".test.ts"))
    .map((path) => join("runtime", path));
  for (const source of [...sources, ...more]) {
    const target = join(directory, source.replace(/\.ts$/, ".js"));
    await mkdir(dirname(target), { recursive: true });
    await writeFile(target, compiled(await readFile(join(root, source), "utf8")));
  }
  const manifest = JSON.parse(await readFile(join(root, "package.json"), "utf8")) as { version: string };
  const imports = { "#test/*.ts": "./test/*.js", "#*.ts": "./runtime/*.js" };
  await writeFile(
    join(directory, "package.json"),
    JSON.stringify({ name: "pulumi-clusternet", type: "module", version: manifest.version, imports }),
  );
  await symlink(join(root, "node_modules"), join(directory, "node_modules"));
}

function compiled(source: string): string {
  return stripTypeScriptTypes(source).replace(/(from|import)(\s*\(?\s*)"(\.\/[^"]+)\.ts"/g, '$1$2"$3.js"');
}
