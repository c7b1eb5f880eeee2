// What stands around a plugin that is not built in: it answers as the contract says and in time, or fails its own decision only.

import { ApiError } from "#kube/errors.ts";
import { toError } from "#std/errors.ts";
import type { PluginPoint } from "#api/scheduler-config.ts";
import { PluginError } from "./plugin-error.ts";
import type { PluginWatch } from "./plugin-watch.ts";
import type { Plugin } from "./plugin.ts";

/** What a plugin may take for one answer that it may wait for. */
const PLUGIN_CALL_MS_MAX = 10_000;

export interface GuardOptions {
  readonly callMsMax?: number;
  /** Who looks whether a call ever returns. */
  readonly watch?: PluginWatch | undefined;
}

/** The same plugin; every failure of it is a PluginError. */
export function guarded(plugin: Plugin, { callMsMax = PLUGIN_CALL_MS_MAX, watch }: GuardOptions = {}): Plugin {
  const methods = pointsOf(plugin);
  const members = Object.entries(checks).flatMap(([point, check]) => {
    const method = methods[point];
    if (typeof method !== "function") return [];
    const call: Call = { plugin, point, method: watched(method as Method, { plugin, point, watch }), check };
    const guard = waitingPoints.has(point)
      ? (input: unknown, signal: AbortSignal): Promise<unknown> => answerInTime(call, { input, signal, callMsMax })
      : (input: unknown): unknown => answerAtOnce(call, input);
    return [[point, guard] as const];
  });
  const scale = plugin.scale === "fewer-is-better" ? { scale: plugin.scale } : {};
  return { ...Object.fromEntries(members), ...scale, name: plugin.name };
}

/** Also those of a class, which are its prototype's. */
function pointsOf(plugin: Plugin): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.keys(checks).map((point) => [point, Reflect.get(plugin, point)]));
}

interface Watched {
  readonly plugin: Plugin;
  readonly point: string;
  readonly watch: PluginWatch | undefined;
}

function watched(method: Method, { plugin, point, watch }: Watched): Method {
  if (watch === undefined) return method;
  return (input, signal) => {
    const { subscription } = input as { readonly subscription?: { readonly metadata?: { namespace?: string; name?: string } } };
    const { namespace = "", name = "" } = subscription?.metadata ?? {};
    const call = { plugin: plugin.name, point, subscription: `${namespace}/${name}` };
    return watch.during(call, () => method.call(plugin, input, signal));
  };
}

type Method = (input: unknown, signal?: AbortSignal) => unknown;
type Check = (answer: unknown) => boolean;

interface Call {
  readonly plugin: Plugin;
  readonly point: string;
  readonly method: Method;
  readonly check: Check;
}

type Members = Readonly<Record<string, unknown>>;

const isObject = (value: unknown): value is Members => typeof value === "object" && value !== null;
const isText = (value: unknown): boolean => typeof value === "string" && value !== "";
const anything: Check = () => true;
/** As Kubernetes wants the reason of a condition. */
const REASON = /^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$/;
const isProblem = ({ reason, message }: Members): boolean =>
  typeof reason === "string" && REASON.test(reason) && typeof message === "string";
const isFit: Check = (answer) =>
  isObject(answer) && (answer["fits"] === true || (answer["fits"] === false && isText(answer["reason"])));
const isResult =
  (good: string): Check =>
  (answer) =>
    isObject(answer) && (answer["type"] === good || (["refuse", "wait"].includes(String(answer["type"])) && isProblem(answer)));
const isAssignment: Check = (answer) => {
  if (!isObject(answer) || answer["type"] === "skip") return isObject(answer);
  const { type, clusters, replicas = {}, left = {}, divisions = [], shortfall } = answer;
  if (type !== "assigned") return isResult("")(answer);
  const isList =
    Array.isArray(clusters) && clusters.every((cluster, index) => index === 0 || String(clusters[index - 1]) < String(cluster));
  if (!isList || !isObject(replicas) || !isObject(left) || !Object.values(left).every(isText)) return false;
  if (!Array.isArray(divisions) || !divisions.every(isDivision)) return false;
  if (shortfall !== undefined && !(isObject(shortfall) && isProblem(shortfall))) return false;
  return Object.values(replicas).every(
    (counts) => Array.isArray(counts) && [0, clusters.length].includes(counts.length) && counts.every(isReplicas),
  );
};
const isDivision: Check = (answer) =>
  isObject(answer) &&
  typeof answer["feed"] === "string" &&
  isReplicas(answer["desired"]) &&
  isReplicas(answer["placed"]) &&
  Array.isArray(answer["shares"]) &&
  answer["shares"].every(
    (share: unknown) => isObject(share) && typeof share["cluster"] === "string" && isReplicas(share["replicas"]),
  );
const isScore: Check = (answer) => typeof answer === "number" && Number.isFinite(answer);
const isScores: Check = (answer) => answer instanceof Map && [...answer.values()].every(isScore);
const REPLICAS_MAX = 2 ** 31 - 1;
const isReplicas = (count: unknown): boolean => Number.isInteger(count) && Number(count) >= 0 && Number(count) <= REPLICAS_MAX;

/** By point: whether an answer is one. */
const checks = {
  preFilter: isResult("ok"),
  select: isFit,
  filter: isFit,
  postFilter: (answer) => answer === undefined || typeof answer === "string",
  preScore: anything,
  score: isScore,
  normalise: isScores,
  preAssign: isResult("ok"),
  assign: isAssignment,
  reserve: anything,
  unreserve: anything,
  permit: isResult("allow"),
  preBind: anything,
  bind: (answer) => isObject(answer) && ["bound", "skip"].includes(String(answer["type"])),
  postBind: anything,
} satisfies Readonly<Record<PluginPoint | "normalise" | "unreserve", Check>>;

/** What a plugin may take time for. */
export const waitingPoints: ReadonlySet<string> = new Set(["reserve", "unreserve", "permit", "preBind", "bind", "postBind"]);

function answerAtOnce(call: Call, input: unknown): unknown {
  const answer = attempt(call, () => call.method.call(call.plugin, input));
  if (answer instanceof Promise) {
    // Nobody waits for it: its failure must not end the process.
    answer.catch(() => undefined);
    throw new PluginError(call.plugin.name, `returned a promise at ${call.point}, where it must answer at once`);
  }
  return attempt(call, () => checked(call, answer));
}

interface InTime {
  readonly input: unknown;
  readonly signal: AbortSignal;
  readonly callMsMax: number;
}

async function answerInTime(call: Call, { input, signal, callMsMax }: InTime): Promise<unknown> {
  const { plugin, point, method } = call;
  const timeout = AbortSignal.timeout(callMsMax);
  const ended = AbortSignal.any([signal, timeout]);
  const late = Promise.withResolvers<never>();
  const onEnd = (): void => {
    late.reject(
      timeout.aborted ? new PluginError(plugin.name, `did not answer at ${point} within ${String(callMsMax)} ms`) : signal.reason,
    );
  };
  ended.addEventListener("abort", onEnd, { once: true });
  try {
    const answer = Promise.resolve(attempt(call, () => method.call(plugin, input, ended)));
    return checked(call, await Promise.race([answer, late.promise]));
  } catch (error) {
    throw asPluginError(call, error);
  } finally {
    ended.removeEventListener("abort", onEnd);
  }
}

function attempt<T>(call: Call, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw asPluginError(call, error);
  }
}

/** What the API server refused, a Conflict say, is not the plugin's fault. */
function asPluginError({ plugin, point }: Call, error: unknown): unknown {
  if (error instanceof PluginError || error instanceof ApiError) return error;
  return new PluginError(plugin.name, `failed at ${point}: ${toError(error).message}`, { cause: error });
}

const ANSWER_SHOWN_MAX = 100;

function checked({ plugin, point, check }: Call, answer: unknown): unknown {
  if (check(answer)) return answer;
  const told: unknown = answer instanceof Map ? Object.fromEntries(answer as ReadonlyMap<string, unknown>) : answer;
  const text = told === undefined ? "undefined" : JSON.stringify(told).slice(0, ANSWER_SHOWN_MAX);
  throw new PluginError(plugin.name, `answered ${text} at ${point}, which the contract does not allow`);
}
