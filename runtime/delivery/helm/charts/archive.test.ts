// Which files of a chart hold its CustomResourceDefinitions.

import { gzipSync } from "node:zlib";
import { expect, test } from "@jest/globals";
import { makeChart } from "#test/framework/test-chart.ts";
import { definitionFiles, isOfSubchart } from "./archive.ts";

const chart = (files: Readonly<Record<string, string>>): Buffer => makeChart({ name: "web", version: "1.0.0", files });
const pathsOf = (archive: Buffer): readonly string[] => definitionFiles(archive).map(({ path }) => path);

test("those in crds/, its own and those of charts that it brings along; nothing else", () => {
  const files = {
    "crds/b.yaml": "b",
    "crds/deep/a.yml": "a",
    "crds/README.md": "",
    "templates/crds/c.yaml": "",
    "charts/db/crds/d.json": "{}",
    "charts/db/templates/e.yaml": "",
  };
  expect(pathsOf(chart(files))).toEqual(["charts/db/crds/d.json", "crds/b.yaml", "crds/deep/a.yml"]);
  expect(
    definitionFiles(chart(files))
      .filter(isOfSubchart)
      .map(({ text }) => text),
  ).toEqual(["{}"]);
});

test("a chart in a chart, packed", () => {
  const inner = chart({ "crds/a.yaml": "a: ä" });
  const outer = tar([{ path: "web/charts/db-1.0.0.tgz", bytes: inner }]);
  expect(definitionFiles(outer)).toEqual([{ path: "charts/db-1.0.0/crds/a.yaml", text: "a: ä" }]);
});

test("long names, as pax and GNU write them", () => {
  const name = `crds/${"x".repeat(150)}.yaml`;
  const record = `path=web/${name}\n`;
  const pax = `${String(record.length + 4)} ${record}`;
  for (const [type, bytes] of [
    ["x", pax],
    ["L", `web/${name}\0`],
  ] as const) {
    const archive = tar([
      { path: "long", type, bytes: Buffer.from(bytes) },
      { path: "web/crds/short", bytes: Buffer.from("a") },
      { path: "web/crds/b.yaml", bytes: Buffer.from("b") },
    ]);
    expect(pathsOf(archive)).toEqual(["crds/b.yaml", name]);
  }
});

test("what is no archive is said", () => {
  expect(() => definitionFiles(Buffer.from("no"))).toThrow("not a gzipped archive");
  expect(definitionFiles(gzipSync(Buffer.from("no")))).toEqual([]);
});

function tar(entries: readonly { readonly path: string; readonly type?: string; readonly bytes: Buffer }[]): Buffer {
  const parts = entries.flatMap(({ path, type = "0", bytes }) => {
    const header = Buffer.alloc(512);
    header.write(path, 0);
    header.write(bytes.length.toString(8).padStart(11, "0"), 124);
    header.write(type, 156);
    header.write("ustar", 257);
    return [header, bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512)];
  });
  return gzipSync(Buffer.concat([...parts, Buffer.alloc(1_024)]));
}
