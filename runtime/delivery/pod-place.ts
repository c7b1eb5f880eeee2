// What of a pod template binds a replica to a node besides resources: ports of the host, labels that its own affinity asks about, claims. Pure.

import type { FeedInventory } from "#api/apps/v1alpha1/feed-inventory.ts";
import { isJsonObject, type JsonObject } from "./json.ts";

type Requirements = NonNullable<FeedInventory["spec"]["feeds"][number]["replicaRequirements"]>;
export type HostPort = NonNullable<Requirements["hostPorts"]>[number];
type Volume = NonNullable<Requirements["volumes"]>[number];

const PORT_MAX = 65_535;

/** Of what runs all the time. In the host's network every port that is said is one of the host, as the API server makes it. */
export function hostPortsOf(pod: JsonObject): readonly HostPort[] {
  const containers = [
    ...listOf(pod["containers"]),
    ...listOf(pod["initContainers"]).filter((container) => container["restartPolicy"] === "Always"),
  ];
  const ports = containers.flatMap(({ ports: said }) => listOf(said));
  return ports.flatMap(({ hostPort, containerPort, protocol, hostIP }): readonly HostPort[] => {
    const port = hostPort ?? (pod["hostNetwork"] === true ? containerPort : undefined);
    if (typeof port !== "number" || !Number.isInteger(port) || port < 1 || port > PORT_MAX) return [];
    return [
      {
        port,
        ...(typeof protocol === "string" && protocol !== "TCP" ? { protocol } : {}),
        ...(typeof hostIP === "string" && hostIP !== "" ? { hostIP } : {}),
      },
    ];
  });
}

/** Labels of the pods, when a required term about other pods makes them matter. */
export function podLabelsOf(metadata: unknown, pod: JsonObject): Requirements["podLabels"] {
  const isRequired = ["podAffinity", "podAntiAffinity"].some((which) => {
    const affinity = isJsonObject(pod["affinity"]) ? pod["affinity"][which] : undefined;
    return isJsonObject(affinity) && listOf(affinity["requiredDuringSchedulingIgnoredDuringExecution"]).length > 0;
  });
  if (!isRequired) return undefined;
  const labels = isJsonObject(metadata) && isJsonObject(metadata["labels"]) ? metadata["labels"] : {};
  return Object.fromEntries(Object.entries(labels).filter((entry): entry is [string, string] => typeof entry[1] === "string"));
}

/** `templates`: claims that each replica gets for itself, of a StatefulSet. */
export function volumesOf(pod: JsonObject, templates: unknown): readonly Volume[] {
  const claims = listOf(pod["volumes"]).flatMap((volume): readonly Volume[] => {
    const { persistentVolumeClaim, ephemeral } = volume;
    if (isJsonObject(persistentVolumeClaim)) {
      const { claimName } = persistentVolumeClaim;
      return typeof claimName === "string" ? [{ claimName }] : [];
    }
    return isJsonObject(ephemeral) && isJsonObject(ephemeral["volumeClaimTemplate"])
      ? [ownVolume(ephemeral["volumeClaimTemplate"])]
      : [];
  });
  return [...claims, ...listOf(templates).map(ownVolume)];
}

function ownVolume({ spec }: JsonObject): Volume {
  const storageClassName = isJsonObject(spec) ? spec["storageClassName"] : undefined;
  return typeof storageClassName === "string" ? { storageClassName } : {};
}

function listOf(value: unknown): readonly JsonObject[] {
  return Array.isArray(value) ? value.filter(isJsonObject) : [];
}
