// The version of this package, which every component reports as its own.

import { readFileSync } from "node:fs";

/** Semantic, without a leading "v". Compiled code lives one folder deeper (dist/), so both places are looked at. */
export const packageVersion: string = readVersion();

function readVersion(): string {
  for (const relative of ["../../package.json", "../../../package.json"]) {
    const manifest = readManifest(new URL(relative, import.meta.url));
    if (manifest?.name === "pulumi-clusternet") return manifest.version;
  }
  throw new Error("Bug: package.json of pulumi-clusternet was not found beside the code");
}

function readManifest(url: URL): { readonly name: string; readonly version: string } | undefined {
  try {
    return JSON.parse(readFileSync(url, "utf8")) as { name: string; version: string };
  } catch {
    return undefined;
  }
}
