// Fields of delivered objects that belong to somebody in the cluster: those the user lists, and replicas that an autoscaler sets. They
// are set when the object is made and left alone from then on. Pure.

import type { DeliveryPolicy } from "#api/apps/v1alpha1/delivery-policy.ts";
import type { KubeObject } from "#api/meta.ts";
import { cloneJson, isForbiddenKey, isJsonObject, type MutableJsonObject } from "./json.ts";

export interface IgnoreRule {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly namespace?: string;
  readonly name?: string;
  /** JSON pointers. */
  readonly paths: readonly string[];
}

const REPLICAS = "/spec/replicas";

/** The user's rules, and one for what a delivered HorizontalPodAutoscaler scales. */
export function ignoreRules(described: readonly KubeObject[], { ignoreFields = [] }: DeliveryPolicy): readonly IgnoreRule[] {
  return [...ignoreFields, ...described.flatMap(scaledBy)];
}

/** Somebody changed the number of replicas through the scale subresource, and it was no person with kubectl. */
export function autoscaledPaths(live: KubeObject): readonly string[] {
  const { managedFields = [] } = live.metadata as { readonly managedFields?: readonly ManagedFields[] };
  const isScaled = managedFields.some(({ manager = "", subresource, fieldsV1 }) => {
    const spec = fieldsV1?.["f:spec"];
    return subresource === "scale" && !manager.startsWith("kubectl") && isJsonObject(spec) && Object.hasOwn(spec, "f:replicas");
  });
  return isScaled ? [REPLICAS] : [];
}

export function ignoredPaths({ apiVersion, kind, metadata }: KubeObject, rules: readonly IgnoreRule[]): readonly string[] {
  const fits = (wanted: string | undefined, is: string | undefined): boolean => wanted === undefined || wanted === is;
  const fitting = rules.filter(
    (rule) =>
      fits(rule.apiVersion, apiVersion) &&
      fits(rule.kind, kind) &&
      fits(rule.namespace, metadata.namespace) &&
      fits(rule.name, metadata.name),
  );
  return [...new Set(fitting.flatMap(({ paths }) => paths))];
}

/** What is left to compare. */
export function withoutPaths<T extends KubeObject>(object: T, paths: readonly string[]): T {
  return edited(object, paths, () => undefined);
}

/** What is applied to an object that is there: its own value in these fields, so that the apply changes none of them. */
export function withLiveValues<T extends KubeObject>(
  object: T,
  { live, paths }: { readonly live: KubeObject; readonly paths: readonly string[] },
): T {
  return edited(object, paths, (steps) => steps.reduce<unknown>((value, step) => stepInto(value, step), live));
}

interface ManagedFields {
  readonly manager?: string;
  readonly subresource?: string;
  readonly fieldsV1?: Readonly<Record<string, unknown>>;
}

function scaledBy(object: KubeObject): readonly IgnoreRule[] {
  const spec = "spec" in object && isJsonObject(object.spec) ? object.spec : {};
  const target = spec["scaleTargetRef"];
  if (object.kind !== "HorizontalPodAutoscaler" || !isJsonObject(target)) return [];
  const { kind, name } = target;
  const { namespace } = object.metadata;
  if (typeof kind !== "string" || typeof name !== "string") return [];
  return [{ kind, name, ...(namespace === undefined ? {} : { namespace }), paths: [REPLICAS] }];
}

/** `valueAt` answers undefined: the field goes. The field's parents are there, or the pointer points nowhere and nothing happens. */
function edited<T extends KubeObject>(object: T, paths: readonly string[], valueAt: (steps: readonly Step[]) => unknown): T {
  if (paths.length === 0) return object;
  const copy = cloneJson(object);
  for (const path of paths) {
    const steps = stepsOf(path, copy);
    const last = steps.pop();
    if (last === undefined) continue;
    const parent = steps.reduce<unknown>((value, { at }) => child(value, at), copy);
    if (!isJsonObject(parent)) continue;
    const value = valueAt([...steps, last]);
    const members = parent as MutableJsonObject;
    if (value === undefined) Reflect.deleteProperty(members, last.at);
    else members[last.at] = cloneJson(value);
  }
  return copy as T;
}

interface Step {
  readonly at: string;
  /** The list element's own name: in the other object it may have another place. */
  readonly name?: string;
}

function stepsOf(path: string, object: unknown): Step[] {
  if (!path.startsWith("/")) return [];
  const tokens = path
    .slice(1)
    .split("/")
    .map((token) => token.replaceAll("~1", "/").replaceAll("~0", "~"));
  if (tokens.some(isForbiddenKey)) return [];
  let value = object;
  return tokens.map((at) => {
    const isElement = Array.isArray(value);
    value = child(value, at);
    const name = isElement && isJsonObject(value) ? value["name"] : undefined;
    return typeof name === "string" ? { at, name } : { at };
  });
}

function stepInto(value: unknown, { at, name }: Step): unknown {
  if (name === undefined || !Array.isArray(value)) return child(value, at);
  return value.find((element) => isJsonObject(element) && element["name"] === name);
}

function child(value: unknown, at: string): unknown {
  if (Array.isArray(value)) return /^\d+$/.test(at) ? (value[Number(at)] as unknown) : undefined;
  return isJsonObject(value) && Object.hasOwn(value, at) ? value[at] : undefined;
}
