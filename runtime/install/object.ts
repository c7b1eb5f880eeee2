// The objects we install, as plain data. The same functions feed Pulumi, the generated YAML, the command line and Cluster API.
//
// A leaf may be anything (a Pulumi Output, say): these functions place such values and never look into them. What decides
// names and shapes is always plain.

/** A Kubernetes object whose leaves may be values that are not known yet. */
export interface InstallObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly [field: string]: unknown;
}

/** Objects in the order they must exist: each stage needs those before it, and goes before them on removal. */
export type InstallStages = readonly (readonly InstallObject[])[];

/** Text that is placed, never read: a plain string, or what a deployment tool fills in later. */
export type Later = unknown;

export const INSTALL_DEFAULTS = {
  /** Where our components live, on the parent and on every child. */
  namespace: "clusternet-system",
  /** Where templates (Manifests) are kept. */
  reservedNamespace: "clusternet-reserved",
  imageRepository: "clusternet/pulumi-clusternet",
} as const;

/** Labels of everything that belongs to one component. */
export function componentLabels(component: string): Readonly<Record<string, string>> {
  return { "app.kubernetes.io/name": `clusternet-${component}`, "app.kubernetes.io/part-of": "clusternet" };
}

export function namespaceObject(name: string, annotations?: Readonly<Record<string, string>>): InstallObject {
  return {
    apiVersion: "v1",
    kind: "Namespace",
    metadata: {
      name,
      labels: { "app.kubernetes.io/part-of": "clusternet" },
      ...(annotations === undefined ? {} : { annotations }),
    },
  };
}
