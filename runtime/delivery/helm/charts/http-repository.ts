// A chart repository over HTTP: its index.yaml names the versions of every chart, and where each is.
//
// An index may hold tens of megabytes; of a usual one only the lines of the one chart are kept and parsed.

import { createHash } from "node:crypto";
import { createInterface } from "node:readline";
import * as z from "zod";
import { parse } from "yaml";
import { ChartError } from "./chart-error.ts";
import { CHART_BYTES_MAX, type ChartSource, type FoundChart } from "./chart.ts";
import { basicAuthorization, fetchUrl, parseUrl, readBody, refusalOf, type Access, type Answer } from "./fetch.ts";
import { chooseVersion } from "./version.ts";

/** The largest public repositories have 20 to 30 MB. */
const INDEX_BYTES_MAX = 96 * 1024 * 1024;
/** Of one chart, or of an index that is not written as helm writes it. */
const ENTRY_BYTES_MAX = 8 * 1024 * 1024;

const Entry = z.object({
  version: z.string(),
  urls: z.array(z.string()).default([]),
  digest: z.string().optional(),
});
type Entry = z.output<typeof Entry>;

export async function findInRepository(
  { repo, chart, version }: ChartSource,
  access: Access,
  signal: AbortSignal,
): Promise<FoundChart> {
  const repository = parseUrl(repo.endsWith("/") ? repo : `${repo}/`);
  const authorization = basicAuthorization(access);
  const answer = await fetchUrl({ url: parseUrl("index.yaml", repository), access, authorization }, signal);
  const refusal = refusalOf(answer, "index.yaml");
  if (refusal !== undefined) throw refusal.reason === "ChartMissing" ? notARepository(repository) : refusal;
  const entries = await readEntries(answer, chart);
  if (entries === undefined || entries.length === 0) {
    throw new ChartError("ChartMissing", `Repository ${repo} has no chart ${chart}`);
  }
  const versions = entries.map((entry) => entry.version);
  const chosen = chooseVersion(versions, version);
  const entry = entries.find((candidate) => candidate.version === chosen);
  const [address] = entry?.urls ?? [];
  if (entry === undefined || address === undefined) {
    const newest = chooseVersion(versions, undefined);
    const wanted = version === undefined || version === "" ? "that is released" : version;
    const instead = newest === undefined ? "" : ` (the newest is ${newest})`;
    throw new ChartError("VersionMissing", `Repository ${repo} has no version ${wanted} of chart ${chart}${instead}`);
  }
  const url = parseUrl(address, repository);
  return {
    version: entry.version,
    download: async (downloadSignal) => {
      // An index may send us anywhere, but only its own host gets the password (FET-1).
      const own = url.origin === repository.origin ? authorization : undefined;
      const file = await fetchUrl({ url, access, authorization: own }, downloadSignal);
      const refused = refusalOf(file, `chart ${chart} ${entry.version}`);
      if (refused !== undefined) throw refused;
      return checked(await readBody(file, CHART_BYTES_MAX, `Chart ${chart} ${entry.version}`), entry, chart);
    },
  };
}

function notARepository(repository: URL): ChartError {
  return new ChartError("RepositoryInvalid", `${repository.host} has no index.yaml there (HTTP 404): it is no chart repository`);
}

function checked(bytes: Buffer, { digest, version }: Entry, chart: string): Buffer {
  const expected = digest?.replace(/^sha256:/, "");
  if (expected !== undefined && expected !== "" && createHash("sha256").update(bytes).digest("hex") !== expected) {
    throw new ChartError(
      "DigestMismatch",
      `Chart ${chart} ${version} is not what the repository's index says: its digest differs`,
    );
  }
  return bytes;
}

async function readEntries(answer: Answer, chart: string): Promise<readonly Entry[] | undefined> {
  const { own, other } = await sectionOf(answer, chart);
  const text = own ?? other;
  if (text === undefined) return undefined;
  try {
    const parsed = parse(text) as unknown;
    const member = z.object({ entries: z.record(z.string(), z.unknown()) }).parse(parsed).entries[chart];
    return member === undefined ? undefined : z.array(Entry).parse(member);
  } catch {
    throw new ChartError("RepositoryInvalid", `The index.yaml of ${answer.url.host} cannot be read`);
  }
}

/**
 * `own`: the lines of this chart as an index of their own, when the index is written as helm does (`entries:`, then one name per two
 * spaces). `other`: the whole of an index that is not, JSON for example.
 */
async function sectionOf(
  { body, url }: Answer,
  chart: string,
): Promise<{ readonly own: string | undefined; readonly other: string | undefined }> {
  const limit = (): ChartError => new ChartError("ChartTooLarge", `The index.yaml of ${url.host} is too large`);
  let bytes = 0;
  body.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > INDEX_BYTES_MAX) body.destroy(limit());
  });
  const heading = new RegExp(`^  ["']?${escape(chart)}["']?:\\s*$`);
  const section: string[] = [];
  const all: string[] = [];
  let [sectionBytes, allBytes] = [0, 0];
  let state: "before" | "entries" | "chart" | "after" = "before";
  const lines = createInterface({ input: body, crlfDelay: Infinity });
  try {
    for await (const line of lines) {
      if (state === "before") {
        if (/^entries:\s*$/.test(line)) state = "entries";
        else if ((allBytes += line.length + 1) <= ENTRY_BYTES_MAX) all.push(line);
        continue;
      }
      const isName = /^ {2}\S/.test(line) && !line.startsWith("  -");
      if (/^\S/.test(line) && !/^[#-]/.test(line)) state = "after";
      else if (state === "chart" && isName) state = "after";
      else if (state === "entries" && isName && heading.test(line)) state = "chart";
      else if (state === "chart") {
        if ((sectionBytes += line.length + 1) > ENTRY_BYTES_MAX) throw limit();
        section.push(line);
      }
    }
  } catch (error) {
    throw error instanceof ChartError
      ? error
      : new ChartError("RepositoryUnreachable", `${url.host} stopped in the middle of its index.yaml`, { cause: error });
  }
  if (state === "before") {
    if (allBytes > ENTRY_BYTES_MAX) throw limit();
    return { own: undefined, other: all.join("\n") };
  }
  return {
    own: section.length === 0 ? undefined : `entries:\n  ${JSON.stringify(chart)}:\n${section.join("\n")}`,
    other: undefined,
  };
}

function escape(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
