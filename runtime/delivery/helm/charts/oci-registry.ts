// Charts in an OCI registry: a tag names a manifest, its one chart layer is the chart.
//
// A registry answers 401 with where its tokens are handed out. The credential is sent there only when that is the registry itself, or the
// host that the pull secret names as tokenHost.

import { createHash } from "node:crypto";
import * as z from "zod";
import { ChartError } from "./chart-error.ts";
import { CHART_BYTES_MAX, type ChartSource, type FoundChart } from "./chart.ts";
import { basicAuthorization, fetchUrl, parseUrl, readBody, refusalOf, type Access, type Answer } from "./fetch.ts";
import { chooseVersion, isExactVersion } from "./version.ts";

const CHART_LAYER = "application/vnd.cncf.helm.chart.content.v1.tar+gzip";
const MANIFEST_TYPES = "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json";

const MANIFEST_BYTES_MAX = 4 * 1024 * 1024;
/** A page of tags. */
const TAGS_BYTES_MAX = 4 * 1024 * 1024;
const TAG_PAGES_MAX = 100;
const TOKEN_BYTES_MAX = 256 * 1024;

const Layer = z.object({ mediaType: z.string(), digest: z.string().regex(/^sha256:[0-9a-f]{64}$/), size: z.number() });
const Manifest = z.object({ layers: z.array(Layer).default([]) });
const Tags = z.object({ tags: z.array(z.string()).nullish() });
const Token = z.object({ token: z.string().optional(), access_token: z.string().optional() });

interface Registry {
  readonly base: URL;
  /** `charts/web`. */
  readonly name: string;
  readonly access: Access;
  /** Of the registry, once it asked for one. */
  authorization: string | undefined;
}

export async function findInRegistry(source: ChartSource, access: Access, signal: AbortSignal): Promise<FoundChart> {
  const registry = registryOf(source, access);
  const { chart, version } = source;
  const tag = isExactVersion(version) ? tagOf(version) : await newestTag(registry, source, signal);
  const answer = await get(registry, { path: `manifests/${encodeURIComponent(tag)}`, accept: MANIFEST_TYPES }, signal);
  if (answer.status === 404) {
    answer.body.resume();
    throw new ChartError("VersionMissing", `Registry ${registry.base.host} has no version ${tag} of chart ${registry.name}`);
  }
  const what = `chart ${registry.name} ${tag}`;
  const manifest = Manifest.safeParse(await readJson(answer, MANIFEST_BYTES_MAX, what));
  const layer = manifest.data?.layers.find(({ mediaType }) => mediaType === CHART_LAYER);
  if (layer === undefined)
    throw new ChartError("ChartMissing", `${registry.base.host} has something else than a chart as ${registry.name}:${tag}`);
  if (layer.size > CHART_BYTES_MAX) {
    throw new ChartError("ChartTooLarge", `Chart ${chart} ${tag} is larger than ${String(CHART_BYTES_MAX)} bytes`);
  }
  return {
    version: tag.replaceAll("_", "+"),
    download: async (downloadSignal) => {
      const blob = await get(registry, { path: `blobs/${layer.digest}`, accept: "*/*" }, downloadSignal);
      const refusal = refusalOf(blob, what);
      if (refusal !== undefined) throw refusal;
      const bytes = await readBody(blob, CHART_BYTES_MAX, what);
      if (`sha256:${createHash("sha256").update(bytes).digest("hex")}` !== layer.digest) {
        throw new ChartError("DigestMismatch", `Chart ${registry.name} ${tag} is not what its manifest says: its digest differs`);
      }
      return bytes;
    },
  };
}

function registryOf({ repo, chart }: ChartSource, access: Access): Registry {
  const scheme = access.plainHttp ? "http" : "https";
  const url = parseUrl(`${scheme}://${repo.slice("oci://".length)}`);
  const name = `${url.pathname.replace(/^\/+|\/+$/g, "")}/${chart}`.replace(/^\//, "");
  if (!/^[a-z0-9._/-]+$/i.test(name) || name.includes("..")) {
    throw new ChartError("RepositoryInvalid", `${repo} and chart ${chart} make no name of a registry`);
  }
  return { base: new URL(url.origin), name, access, authorization: undefined };
}

/** A tag cannot hold a plus sign; helm writes an underscore. */
function tagOf(version: string): string {
  return version.replaceAll("+", "_");
}

async function newestTag(registry: Registry, { version }: ChartSource, signal: AbortSignal): Promise<string> {
  const tags: string[] = [];
  let path: string | undefined = "tags/list";
  for (let page = 0; path !== undefined && page < TAG_PAGES_MAX; page += 1) {
    const answer: Answer = await get(registry, { path, accept: "application/json" }, signal);
    if (answer.status === 404) {
      answer.body.resume();
      throw new ChartError("ChartMissing", `Registry ${registry.base.host} has no chart ${registry.name}`);
    }
    const { data } = Tags.safeParse(await readJson(answer, TAGS_BYTES_MAX, `the tags of ${registry.name}`));
    tags.push(...(data?.tags ?? []));
    path = nextPage(answer);
  }
  const chosen = chooseVersion(
    tags.map((tag) => tag.replaceAll("_", "+")),
    version,
  );
  if (chosen !== undefined) return tagOf(chosen);
  throw new ChartError(
    "VersionMissing",
    `Registry ${registry.base.host} has no version ${version === undefined || version === "" ? "that is released" : version} of chart ${registry.name}`,
  );
}

function nextPage({ headers: { link } }: Answer): string | undefined {
  const text = Array.isArray(link) ? link.join(",") : (link ?? "");
  const query = /<[^>]*\/tags\/list(\?[^>]*)>;\s*rel="?next"?/.exec(text)?.[1];
  return query === undefined ? undefined : `tags/list${query}`;
}

async function get(
  registry: Registry,
  { path, accept }: { readonly path: string; readonly accept: string },
  signal: AbortSignal,
): Promise<Answer> {
  const url = new URL(`/v2/${registry.name}/${path}`, registry.base);
  const send = (): Promise<Answer> =>
    fetchUrl({ url, access: registry.access, headers: { accept }, authorization: registry.authorization }, signal);
  const answer = await send();
  if (answer.status !== 401 || registry.authorization !== undefined) return answer;
  answer.body.resume();
  registry.authorization = await authorizationFor(registry, answer.headers["www-authenticate"] ?? "", signal);
  return registry.authorization === undefined ? answer : send();
}

/** What the registry asks for: the password itself, or a token that is handed out for it. */
async function authorizationFor(registry: Registry, challenge: string, signal: AbortSignal): Promise<string | undefined> {
  const basic = basicAuthorization(registry.access);
  if (/^basic\b/i.test(challenge)) return basic;
  const parameters = new Map(
    [...challenge.matchAll(/(\w+)="([^"]*)"/g)].map(([, key = "", value = ""]) => [key.toLowerCase(), value]),
  );
  const realm = parameters.get("realm");
  if (!/^bearer\b/i.test(challenge) || realm === undefined) return undefined;
  const url = parseUrl(realm);
  const service = parameters.get("service");
  if (service !== undefined) url.searchParams.set("service", service);
  url.searchParams.set("scope", parameters.get("scope") ?? `repository:${registry.name}:pull`);
  const isOurs = url.origin === registry.base.origin || (url.protocol === "https:" && url.host === registry.access.tokenHost);
  if (basic !== undefined && !isOurs) {
    const message = `${registry.base.host} hands out its tokens at ${url.host}: name that as tokenHost in chartPullSecret, if it may have the password`;
    throw new ChartError("PullSecretRefused", message);
  }
  const answer = await fetchUrl({ url, access: registry.access, authorization: basic }, signal);
  const refusal = refusalOf(answer, "a token");
  if (refusal !== undefined) throw refusal;
  const parsed = Token.safeParse(await readJson(answer, TOKEN_BYTES_MAX, "a token"));
  const token = parsed.data?.token ?? parsed.data?.access_token;
  return token === undefined ? undefined : `Bearer ${token}`;
}

async function readJson(answer: Answer, bytesMax: number, what: string): Promise<unknown> {
  const refusal = refusalOf(answer, what);
  if (refusal !== undefined) throw refusal;
  const text = (await readBody(answer, bytesMax, what)).toString("utf8");
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw new ChartError("RepositoryInvalid", `The answer of ${answer.url.host} is not that of a registry`);
  }
}
