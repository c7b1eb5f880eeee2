// Reads an optional PEM file: an empty path or an empty file means that the system's certificate authorities are used.

import { readFile } from "node:fs/promises";

export async function readPem(path: string): Promise<string | undefined> {
  const text = path === "" ? "" : await readFile(path, "utf8");
  return text === "" ? undefined : text;
}
