// The provider's own arguments: what they mean, and whether a change of them replaces every resource of the provider. Pure but for files.

import { deepEqual } from "#std/canonical-json.ts";
import { kubeconfigText, loadKubeconfigCode } from "./kubeconfig.ts";
import { isObject, isUnknown, toKubernetes, type Json, type JsonObject } from "./property-values.ts";

export interface Configuration {
  readonly kubeconfig: string | undefined;
  readonly context: string | undefined;
  readonly cluster: string | undefined;
  readonly namespace: string | undefined;
  readonly enableConfigMapMutable: boolean;
  readonly enableSecretMutable: boolean;
  readonly enablePatchForce: boolean;
  readonly upsertExistingObjects: boolean;
  readonly deleteUnreachable: boolean;
  readonly skipUpdateUnreachable: boolean;
}

type Environment = Readonly<Record<string, string | undefined>>;

export function parseConfiguration(args: JsonObject, env: Environment): Configuration {
  const plain = toKubernetes(args);
  const text = (name: string): string | undefined => {
    const value = plain[name];
    if (isObject(value)) return JSON.stringify(value);
    return typeof value === "string" && value !== "" ? value : undefined;
  };
  const flag = (name: string, variable: string): boolean => plain[name] === true || (plain[name] ?? env[variable]) === "true";
  return {
    kubeconfig: text("kubeconfig") ?? env["KUBECONFIG"],
    context: text("context"),
    cluster: text("cluster"),
    namespace: text("namespace"),
    enableConfigMapMutable: flag("enableConfigMapMutable", "PULUMI_K8S_ENABLE_CONFIGMAP_MUTABLE"),
    enableSecretMutable: flag("enableSecretMutable", "PULUMI_K8S_ENABLE_SECRET_MUTABLE"),
    enablePatchForce: flag("enablePatchForce", "PULUMI_K8S_ENABLE_PATCH_FORCE"),
    upsertExistingObjects: flag("upsertExistingObjects", "PULUMI_K8S_UPSERT_EXISTING_OBJECTS"),
    deleteUnreachable: flag("deleteUnreachable", "PULUMI_K8S_DELETE_UNREACHABLE"),
    skipUpdateUnreachable: flag("skipUpdateUnreachable", "PULUMI_K8S_SKIP_UPDATE_UNREACHABLE"),
  };
}

export interface ConfigurationDiff {
  readonly diffs: readonly string[];
  readonly replaces: readonly string[];
}

/** undefined: nothing changed. */
export async function diffConfiguration(oldArgs: JsonObject, newArgs: JsonObject): Promise<ConfigurationDiff | undefined> {
  const old = toKubernetes(oldArgs);
  const news = toKubernetes(newArgs);
  const diffs = [...new Set([...Object.keys(old), ...Object.keys(news)])]
    .filter((name) => !deepEqual(old[name], news[name]))
    .sort();
  if (diffs.length === 0) return undefined;
  const identifier = { old: old["clusterIdentifier"], news: news["clusterIdentifier"] };
  // The same identifier is the user's word that it is the same cluster, whatever the kubeconfig says.
  if (identifier.old !== undefined && identifier.old === identifier.news) return { diffs, replaces: [] };
  const replaces = identifier.old !== undefined && identifier.news !== undefined ? ["clusterIdentifier"] : [];
  const unknown = ["kubeconfig", "context", "cluster"].find((name) => isUnknown(news[name]));
  // What is not known yet may be another cluster.
  if (unknown !== undefined) return { diffs: [unknown], replaces: [...replaces, unknown] };
  const [oldCluster, newCluster] = await Promise.all([activeCluster(old), activeCluster(news)]);
  return { diffs, replaces: deepEqual(oldCluster, newCluster) ? replaces : diffs };
}

/** The cluster entry that the arguments choose. There is no better identity of a cluster, and it is not a good one. */
async function activeCluster(args: JsonObject): Promise<unknown> {
  const { kubeconfig } = args;
  if (kubeconfig === undefined) return {};
  const { KubeConfig } = await loadKubeconfigCode();
  const config = new KubeConfig();
  config.loadFromString(await kubeconfigText(textOf(kubeconfig)));
  const context = typeof args["context"] === "string" ? args["context"] : config.getCurrentContext();
  const name = typeof args["cluster"] === "string" ? args["cluster"] : config.getContextObject(context)?.cluster;
  const cluster = config.clusters.find((entry) => entry.name === name);
  return cluster === undefined ? {} : { ...cluster, name: "" };
}

function textOf(value: Json): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}
