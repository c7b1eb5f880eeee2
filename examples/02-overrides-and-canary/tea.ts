// The application, and what it is called on the parent. Nothing in here knows of more than one cluster.

interface Template {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace: string };
  readonly [field: string]: unknown;
}

const metadata = { name: "tea", namespace: "default" };

export const configMap = {
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata,
  data: { "tea.yaml": "# What the kitchen reads.\nlog:\n  level: info # debug, info or warn\nkettles: 2\n" },
};

export const deployment = {
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata,
  spec: {
    replicas: 1,
    selector: { matchLabels: { app: "tea" } },
    template: { metadata: { labels: { app: "tea" } }, spec: { containers: [{ name: "tea", image: "tea:1" }] } },
  },
};

export const feedOf = ({ apiVersion, kind, metadata: { name, namespace } }: Template) => ({ apiVersion, kind, namespace, name });

/** A template is stored on the parent as a Manifest, and does nothing there. */
export const manifestOf = (template: Template) => ({
  metadata: {
    name: `${template.kind.toLowerCase()}s.${template.metadata.namespace}.${template.metadata.name}`,
    namespace: "clusternet-reserved",
  },
  template,
});
