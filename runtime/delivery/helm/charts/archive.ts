// The files of a packed chart (a gzipped tar), as far as we read them: its own and those of the charts that it brings along. Pure.

import { gunzipSync } from "node:zlib";
import { compareText } from "#std/compare-text.ts";
import { ChartError } from "./chart-error.ts";

/** helm refuses larger ones, too. */
const UNPACKED_BYTES_MAX = 100 * 1024 * 1024;
/** A chart in a chart in a chart. */
const DEPTH_MAX = 5;
const BLOCK_BYTES = 512;

export interface ChartFile {
  /** Below the outermost chart's folder: `crds/shelf.yaml`, `charts/db/crds/database.yaml`. */
  readonly path: string;
  readonly text: string;
}

/** The files in `crds/`, of the chart and of those in its `charts/`, packed or not; by path. */
export function definitionFiles(archive: Buffer): readonly ChartFile[] {
  return filesBelow(archive, { prefix: "", depth: 0 }).toSorted((a, b) => compareText(a.path, b.path));
}

export function isOfSubchart({ path }: ChartFile): boolean {
  return path.startsWith("charts/");
}

const DEFINITIONS = /^(charts\/[^/]+\/)*crds\/.+\.(ya?ml|json)$/;
const SUBCHART = /^(charts\/[^/]+\/)*charts\/([^/]+)\.tgz$/;

function filesBelow(
  archive: Buffer,
  { prefix, depth }: { readonly prefix: string; readonly depth: number },
): readonly ChartFile[] {
  const found: ChartFile[] = [];
  for (const { path, bytes } of entriesOf(unpacked(archive))) {
    // The first part is the chart's own folder.
    const below = path.replace(/^\.\//, "").split("/").slice(1).join("/");
    if (DEFINITIONS.test(below)) found.push({ path: `${prefix}${below}`, text: bytes.toString("utf8") });
    if (depth < DEPTH_MAX && SUBCHART.test(below)) {
      found.push(...filesBelow(bytes, { prefix: `${prefix}${below.replace(/\.tgz$/, "/")}`, depth: depth + 1 }));
    }
  }
  return found;
}

function unpacked(archive: Buffer): Buffer {
  try {
    return gunzipSync(archive, { maxOutputLength: UNPACKED_BYTES_MAX });
  } catch (cause) {
    throw new ChartError("RepositoryInvalid", "The chart is not a gzipped archive of a bearable size", { cause });
  }
}

interface Entry {
  readonly path: string;
  readonly bytes: Buffer;
}

/** Regular files of a tar: ustar, with the long names of pax and of GNU. */
function entriesOf(tar: Buffer): readonly Entry[] {
  const entries: Entry[] = [];
  let longName: string | undefined;
  for (let at = 0; at + BLOCK_BYTES <= tar.length;) {
    const header = tar.subarray(at, at + BLOCK_BYTES);
    if (header[0] === 0) break;
    const size = Number.parseInt(textOf(header.subarray(124, 136)), 8);
    if (!Number.isSafeInteger(size) || size < 0) break;
    const bytes = tar.subarray(at + BLOCK_BYTES, at + BLOCK_BYTES + size);
    at += BLOCK_BYTES * (1 + Math.ceil(size / BLOCK_BYTES));
    const type = textOf(header.subarray(156, 157));
    if (type === "x") longName = paxPath(bytes) ?? longName;
    else if (type === "L") longName = textOf(bytes);
    else {
      if (type === "" || type === "0") entries.push({ path: longName ?? ustarPath(header), bytes });
      longName = undefined;
    }
  }
  return entries;
}

function ustarPath(header: Buffer): string {
  const prefix = textOf(header.subarray(257, 262)) === "ustar" ? textOf(header.subarray(345, 500)) : "";
  const name = textOf(header.subarray(0, 100));
  return prefix === "" ? name : `${prefix}/${name}`;
}

/** Records are `<length> <key>=<value>\n`. */
function paxPath(bytes: Buffer): string | undefined {
  return /(?:^|\n)\d+ path=([^\n]*)\n/.exec(bytes.toString("utf8"))?.[1];
}

/** Up to the first zero byte. */
function textOf(bytes: Buffer): string {
  const end = bytes.indexOf(0);
  return bytes
    .subarray(0, end === -1 ? bytes.length : end)
    .toString("utf8")
    .trim();
}
