// One component as a Deployment: the shape all of ours share (identity, addresses, probes, a locked-down container). Pure.

import { annotations } from "#api/names.ts";
import { componentLabels, type InstallObject, type Later } from "./object.ts";

export interface ComponentDeployment {
  /** The image's first argument and the container's name: `hub`. */
  readonly component: string;
  /** Of the objects; default: the component's. */
  readonly name?: string;
  readonly namespace: string;
  readonly image: string;
  readonly imagePullPolicy?: "Always" | "IfNotPresent" | "Never";
  /** Default 1. More than one is leader-elected. */
  readonly replicas?: number;
  readonly args: readonly string[];
  /** Port of /livez, /readyz and /metrics. */
  readonly healthPort: number;
  readonly ports?: Readonly<Record<string, number>>;
  readonly env?: readonly { readonly name: string; readonly value?: Later; readonly valueFrom?: Later }[];
  readonly volumes?: readonly ({ readonly name: string; readonly mountPath: string } & VolumeSource)[];
  /** A /tmp of its own: helm and charts need one. The rest of the file system is read-only. */
  readonly hasScratch?: boolean;
  /** How long the component may take to hand over its work after SIGTERM. */
  readonly terminationGraceSeconds?: number;
  /** Changes whenever something changes that the component reads only at its start. */
  readonly checksum?: Later;
  readonly resources?: ResourceNeeds;
}

type VolumeSource = { readonly secretName: string } | { readonly configMapName: string };

export interface ResourceNeeds {
  readonly requests: Readonly<Record<string, string>>;
  readonly limits?: Readonly<Record<string, string>>;
}

/** What each component needs at rest; no CPU limit, since a throttled component looks like a broken network. */
const RESOURCES_DEFAULT: ResourceNeeds = { requests: { cpu: "50m", memory: "128Mi" }, limits: { memory: "512Mi" } };

/**
 * Most of what a component allocates lives for one request. A small young generation frees it, and the network buffers it holds, early:
 * a busy hub stays well below its memory limit for a little more processor time.
 */
const SEMI_SPACE_MIB = 2;
/** A decision about thousands of clusters allocates more than that, and would be collected while it is made. */
const SEMI_SPACE_MIB_OF: Readonly<Record<string, number>> = { scheduler: 8 };

export function nodeOptionsOf(component: string): string {
  return `--max-semi-space-size=${String(SEMI_SPACE_MIB_OF[component] ?? SEMI_SPACE_MIB)}`;
}

/** Two heaps of glibc instead of eight per core: what one thread freed, another uses. */
export const MALLOC_ARENAS_MAX = "2";

/** Twice what charts on disk may take (delivery/helm/charts/chart-store.ts). */
const SCRATCH = { name: "scratch", mountPath: "/tmp", sizeLimit: "512Mi" } as const;

export function deploymentName(component: string): string {
  return `clusternet-${component}`;
}

export function deploymentObject(options: ComponentDeployment): InstallObject {
  const { component, name = deploymentName(component), namespace, replicas = 1, checksum } = options;
  const labels = { ...componentLabels(component), "app.kubernetes.io/name": name };
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name, namespace, labels },
    spec: {
      replicas,
      selector: { matchLabels: { "app.kubernetes.io/name": name } },
      template: {
        metadata: {
          labels,
          ...(checksum === undefined ? {} : { annotations: { [annotations.configurationChecksum]: checksum } }),
        },
        spec: podSpec(options, name),
      },
    },
  };
}

function podSpec(options: ComponentDeployment, serviceAccountName: string): object {
  const { volumes = [], hasScratch = false, terminationGraceSeconds = 30 } = options;
  const all = [
    ...volumes.map((volume) => ({
      name: volume.name,
      ...("secretName" in volume ? { secret: { secretName: volume.secretName } } : { configMap: { name: volume.configMapName } }),
    })),
    ...(hasScratch ? [{ name: SCRATCH.name, emptyDir: { sizeLimit: SCRATCH.sizeLimit } }] : []),
  ];
  return {
    serviceAccountName,
    terminationGracePeriodSeconds: terminationGraceSeconds,
    securityContext: { runAsNonRoot: true, runAsUser: 65_532, seccompProfile: { type: "RuntimeDefault" } },
    containers: [container(options)],
    ...(all.length === 0 ? {} : { volumes: all }),
  };
}

function container(options: ComponentDeployment): object {
  const {
    component,
    image,
    imagePullPolicy = "IfNotPresent",
    args,
    healthPort,
    ports = {},
    env = [],
    volumes = [],
    hasScratch = false,
    resources,
  } = options;
  const mounts = [
    ...volumes.map(({ name, mountPath }) => ({ name, mountPath, readOnly: true })),
    ...(hasScratch ? [{ name: SCRATCH.name, mountPath: SCRATCH.mountPath }] : []),
  ];
  return {
    name: component,
    image,
    imagePullPolicy,
    args: [component, ...args],
    env: [
      fieldVariable("POD_NAME", "metadata.name"),
      fieldVariable("POD_NAMESPACE", "metadata.namespace"),
      fieldVariable("POD_IP", "status.podIP"),
      { name: "NODE_OPTIONS", value: nodeOptionsOf(component) },
      { name: "MALLOC_ARENA_MAX", value: MALLOC_ARENAS_MAX },
      ...env,
    ],
    ports: Object.entries({ ...ports, health: healthPort }).map(([name, containerPort]) => ({
      name,
      containerPort,
      protocol: "TCP",
    })),
    livenessProbe: {
      httpGet: { path: "/livez", port: healthPort, scheme: "HTTP" },
      initialDelaySeconds: 10,
      periodSeconds: 10,
      failureThreshold: 3,
    },
    readinessProbe: { httpGet: { path: "/readyz", port: healthPort, scheme: "HTTP" }, periodSeconds: 1, failureThreshold: 2 },
    resources: resources ?? RESOURCES_DEFAULT,
    securityContext: { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ["ALL"] } },
    ...(mounts.length === 0 ? {} : { volumeMounts: mounts }),
  };
}

function fieldVariable(name: string, fieldPath: string): { name: string; valueFrom: object } {
  return { name, valueFrom: { fieldRef: { apiVersion: "v1", fieldPath } } };
}
