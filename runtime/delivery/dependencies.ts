// What an object refers to, so that its pods can start: ConfigMaps, Secrets, ServiceAccounts, PersistentVolumeClaims. Pure.

import type { Feed } from "#api/apps/v1alpha1/feed.ts";
import { feedKey } from "#api/apps/v1alpha1/feed.ts";
import { isJsonObject, type JsonObject } from "./json.ts";

/** Kinds that are taken along. */
export const DEPENDENCY_KINDS = ["ConfigMap", "Secret", "ServiceAccount", "PersistentVolumeClaim"] as const;
export type DependencyKind = (typeof DEPENDENCY_KINDS)[number];

/** Where a workload has its pod template; a Pod is one itself. */
const POD_TEMPLATES: Readonly<Record<string, readonly string[]>> = {
  "v1/Pod": [],
  "v1/ReplicationController": ["spec", "template"],
  "apps/v1/Deployment": ["spec", "template"],
  "apps/v1/StatefulSet": ["spec", "template"],
  "apps/v1/DaemonSet": ["spec", "template"],
  "apps/v1/ReplicaSet": ["spec", "template"],
  "batch/v1/Job": ["spec", "template"],
  "batch/v1/CronJob": ["spec", "jobTemplate", "spec", "template"],
};

/** Whether objects of this kind can need anything: others need not be looked at. */
export function mayNeed({ apiVersion, kind }: Pick<Feed, "apiVersion" | "kind">): boolean {
  const type = `${apiVersion}/${kind}`;
  return type === SERVICE_ACCOUNT || type in POD_TEMPLATES;
}

const SERVICE_ACCOUNT = "v1/ServiceAccount";

/** Every namespace of every cluster has these. */
const EVERYWHERE = new Set(["ServiceAccount default", "ConfigMap kube-root-ca.crt"]);

/**
 * In the object's own namespace; without what is optional. Each once, in the order in which they are named. An object without a namespace
 * has none: it cannot be said where they would be.
 */
export function dependenciesOf(object: JsonObject): readonly Feed[] {
  const { apiVersion, kind, metadata } = object;
  const namespace = isJsonObject(metadata) ? text(metadata["namespace"]) : undefined;
  if (namespace === undefined || typeof apiVersion !== "string" || typeof kind !== "string") return [];
  const found = new Map<string, Feed>();
  for (const { kind: of, name } of referencesOf(`${apiVersion}/${kind}`, object)) {
    if (EVERYWHERE.has(`${of} ${name}`)) continue;
    const feed: Feed = { apiVersion: "v1", kind: of, namespace, name };
    found.set(feedKey(feed), feed);
  }
  return [...found.values()];
}

interface Reference {
  readonly kind: DependencyKind;
  readonly name: string;
}

function referencesOf(type: string, object: JsonObject): readonly Reference[] {
  if (type === SERVICE_ACCOUNT) return named(object["imagePullSecrets"], "Secret");
  const path = POD_TEMPLATES[type];
  const template = path?.reduce<unknown>((value, key) => (isJsonObject(value) ? value[key] : undefined), object);
  const spec = isJsonObject(template) ? template["spec"] : undefined;
  return isJsonObject(spec) ? ofPod(spec) : [];
}

function ofPod(spec: JsonObject): readonly Reference[] {
  const containers = ["initContainers", "containers", "ephemeralContainers"].flatMap((member) => objectsIn(spec[member]));
  // The older name of the same field; a pod template that was read from a server has both.
  const account = text(spec["serviceAccountName"]) ?? text(spec["serviceAccount"]);
  return [
    ...(account === undefined ? [] : [{ kind: "ServiceAccount", name: account } as const]),
    ...named(spec["imagePullSecrets"], "Secret"),
    ...containers.flatMap(ofContainer),
    ...objectsIn(spec["volumes"]).flatMap(ofVolume),
  ];
}

function ofContainer({ envFrom, env }: JsonObject): readonly Reference[] {
  const sources = objectsIn(env).flatMap(({ valueFrom }) => (isJsonObject(valueFrom) ? [valueFrom] : []));
  return [
    ...objectsIn(envFrom).flatMap(({ configMapRef, secretRef }) => [
      ...reference(configMapRef, { kind: "ConfigMap" }),
      ...reference(secretRef, { kind: "Secret" }),
    ]),
    ...sources.flatMap(({ configMapKeyRef, secretKeyRef }) => [
      ...reference(configMapKeyRef, { kind: "ConfigMap" }),
      ...reference(secretKeyRef, { kind: "Secret" }),
    ]),
  ];
}

/** Volume sources of storage that name a Secret, and under which member. */
const SECRET_OF_VOLUME: Readonly<Record<string, string>> = {
  cephfs: "secretRef",
  flexVolume: "secretRef",
  iscsi: "secretRef",
  rbd: "secretRef",
  scaleIO: "secretRef",
  storageos: "secretRef",
  csi: "nodePublishSecretRef",
};

function ofVolume(volume: JsonObject): readonly Reference[] {
  const projected = isJsonObject(volume["projected"]) ? objectsIn(volume["projected"]["sources"]) : [];
  const ofStorage = Object.entries(SECRET_OF_VOLUME).flatMap(([source, member]) => {
    const value = volume[source];
    return isJsonObject(value) ? reference(value[member], { kind: "Secret" }) : [];
  });
  return [
    ...reference(volume["configMap"], { kind: "ConfigMap" }),
    ...reference(volume["secret"], { kind: "Secret", member: "secretName" }),
    ...reference(volume["persistentVolumeClaim"], { kind: "PersistentVolumeClaim", member: "claimName" }),
    ...reference(volume["azureFile"], { kind: "Secret", member: "secretName" }),
    ...projected.flatMap(({ configMap, secret }) => [
      ...reference(configMap, { kind: "ConfigMap" }),
      ...reference(secret, { kind: "Secret" }),
    ]),
    ...ofStorage,
  ];
}

function reference(
  source: unknown,
  { kind, member = "name" }: { readonly kind: DependencyKind; readonly member?: string },
): readonly Reference[] {
  if (!isJsonObject(source) || source["optional"] === true) return [];
  const name = text(source[member]);
  return name === undefined ? [] : [{ kind, name }];
}

function named(list: unknown, kind: DependencyKind): readonly Reference[] {
  return objectsIn(list).flatMap((each) => reference(each, { kind }));
}

function objectsIn(list: unknown): readonly JsonObject[] {
  return Array.isArray(list) ? list.filter(isJsonObject) : [];
}

function text(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}
