// What people get wrong with charts, each on a real cluster: the Subscription says what is wrong, where and what to do, and no credential.

import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { HelmChart } from "#api/apps/v1alpha1/helm-chart.ts";
import { HelmRelease } from "#api/apps/v1alpha1/helm-release.ts";
import { Description } from "#api/apps/v1alpha1/description.ts";
import { Globalization } from "#api/apps/v1alpha1/globalization.ts";
import { Subscription } from "#api/apps/v1alpha1/subscription.ts";
import type { ResourceType } from "#api/meta.ts";
import { Event, Secret } from "#kube/builtin-kinds.ts";
import { createCertificateAuthority, issueCertificate } from "#std/certificates.ts";
import { startChartRepository, type ChartRepository } from "#test/framework/chart-repository.ts";
import { SHOP, startDeliveryBed, type DeliveryBed } from "#test/framework/delivery-bed.ts";
import { eventually } from "#test/framework/eventually.ts";
import { resolveTool } from "#tools/toolchain.ts";

const stack = new AsyncDisposableStack();
let bed: DeliveryBed;
/** Public over HTTP, private, and with a certificate that nobody knows. */
let repositories: Readonly<Record<"open" | "closed" | "unknown", ChartRepository>>;

/** Of the pull secret, and of the values. */
const PASSWORDS = ["correct horse", "hunter2-hunter2"] as const;

const values = `apiVersion: v1
kind: ConfigMap
metadata: { name: {{ .Release.Name }} }
data: { colour: {{ .Values.colour | quote }} }
`;
const schema = { type: "object", properties: { replicas: { type: "integer" }, password: { type: "integer" } } };
const deployment = `apiVersion: apps/v1
kind: Deployment
metadata: { name: {{ .Release.Name }} }
spec:
  replicas: {{ .Values.replicas }}
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web } }
    spec: { containers: [{ name: web, image: web }] }
`;
const charts = {
  web: { "templates/settings.yaml": values },
  template: { "templates/settings.yaml": "colour: {{ .Values.colour.shade.name }}" },
  yaml: { "templates/settings.yaml": "{{ .Values.colour }}: [" },
  strict: { "values.schema.json": JSON.stringify(schema), "templates/settings.yaml": values },
  lax: { "templates/deployment.yaml": deployment },
  talkative: { "templates/settings.yaml": '{{ fail (printf "the password %s is weak" .Values.password) }}' },
};

beforeAll(async () => {
  const helm = await resolveTool("helm");
  const authority = await createCertificateAuthority({ commonName: "charts", validDays: 1 });
  const { certificatePem: cert, privateKeyPem: key } = await issueCertificate(authority, {
    commonName: "charts",
    ipAddresses: ["127.0.0.1"],
    usages: ["server"],
    validDays: 1,
  });
  repositories = {
    open: stack.use(await startChartRepository()),
    closed: stack.use(await startChartRepository({ user: { username: "robot", password: "another" } })),
    unknown: stack.use(await startChartRepository({ tls: { cert, key } })),
  };
  for (const repository of Object.values(repositories)) {
    for (const [name, files] of Object.entries(charts)) repository.publish({ name, version: "1.0.0", files });
  }
  bed = stack.use(await startDeliveryBed({ children: 1, helm }));
  bed.startScheduler();
  bed.startControllerManager();
  bed.children[0]!.startAgent();
  const data = { username: "robot", password: PASSWORDS[0] };
  const secret = { apiVersion: "v1", kind: "Secret", metadata: { namespace: SHOP, name: "registry" }, stringData: data };
  await bed.parent.create(Secret, secret, bed.signal);
});

afterAll(async () => {
  await stack.disposeAsync();
});

interface Wrong {
  readonly it: string;
  readonly spec: (repository: typeof repositories) => Partial<HelmChart["spec"]>;
  readonly overrides?: Readonly<Record<string, unknown>>;
  /** Of the Subscription, the one that is False and says it. */
  readonly condition: "FeedsResolved" | "Delivered" | "Available";
  readonly says: readonly (string | RegExp)[];
}

const chartPullSecret = { name: "registry" };
const wrongs: readonly Wrong[] = [
  {
    it: "a repository that is down",
    spec: () => ({ repo: "http://127.0.0.1:1/charts" }),
    condition: "FeedsResolved",
    says: ["127.0.0.1:1 cannot be reached", "ECONNREFUSED", "spec.repo"],
  },
  {
    it: "a registry that is down",
    spec: () => ({ repo: "oci://127.0.0.1:1/charts", plainHTTP: true }),
    condition: "FeedsResolved",
    says: ["127.0.0.1:1 cannot be reached", "ECONNREFUSED", "spec.repo"],
  },
  {
    it: "a password that is wrong, of a repository",
    spec: ({ closed }) => ({ repo: closed.url, chartPullSecret }),
    condition: "FeedsResolved",
    says: ["HTTP 401", "spec.chartPullSecret"],
  },
  {
    it: "a password that is wrong, of a registry",
    spec: ({ closed }) => ({ repo: closed.oci, plainHTTP: true, chartPullSecret }),
    condition: "FeedsResolved",
    says: ["HTTP 401", "spec.chartPullSecret"],
  },
  {
    it: "a pull secret that is not there",
    spec: ({ closed }) => ({ repo: closed.url, chartPullSecret: { name: "none" } }),
    condition: "FeedsResolved",
    says: ["chartPullSecret shop/none does not exist"],
  },
  {
    it: "a certificate of an unknown authority, of a repository",
    spec: ({ unknown }) => ({ repo: unknown.url }),
    condition: "FeedsResolved",
    says: ["certificate of 127.0.0.1", "not trusted", "ca.crt"],
  },
  {
    it: "a certificate of an unknown authority, of a registry",
    spec: ({ unknown }) => ({ repo: unknown.oci }),
    condition: "FeedsResolved",
    says: ["certificate of 127.0.0.1", "not trusted", "ca.crt"],
  },
  {
    it: "a version that is missing",
    spec: ({ open }) => ({ repo: open.url, version: "9.9.9" }),
    condition: "FeedsResolved",
    says: ["no version 9.9.9 of chart web", "the newest is 1.0.0", "spec.version"],
  },
  {
    it: "a chart that is missing",
    spec: ({ open }) => ({ repo: open.url, chart: "none" }),
    condition: "FeedsResolved",
    says: ["has no chart none", "spec.chart"],
  },
  {
    it: "a broken template",
    spec: ({ open }) => ({ repo: open.url, chart: "template" }),
    condition: "Delivered",
    says: ["templates/settings.yaml:1", ".Values.colour.shade.name"],
  },
  {
    it: "a template that makes no YAML",
    spec: ({ open }) => ({ repo: open.url, chart: "yaml" }),
    condition: "Delivered",
    says: ["templates/settings.yaml", "YAML"],
  },
  {
    it: "values of the wrong type, which the chart's schema knows",
    spec: ({ open }) => ({ repo: open.url, chart: "strict" }),
    overrides: { replicas: "three", password: PASSWORDS[1] },
    condition: "Delivered",
    says: ["replicas", /integer/],
  },
  {
    it: "values of the wrong type, which only the cluster knows",
    spec: ({ open }) => ({ repo: open.url, chart: "lax" }),
    overrides: { replicas: "three", password: PASSWORDS[1] },
    condition: "Delivered",
    says: ["Deployment", "replicas", "int32"],
  },
  {
    it: "a chart that repeats a password when it fails",
    spec: ({ open }) => ({ repo: open.url, chart: "talkative" }),
    overrides: { password: PASSWORDS[1] },
    condition: "Delivered",
    says: ["the password [hidden] is weak"],
  },
];
const nameOf = ({ it }: Wrong): string => `wrong-${String(wrongs.findIndex((each) => each.it === it))}`;

test("all of them at once", async () => {
  for (const wrong of wrongs) {
    const name = nameOf(wrong);
    const feed = { apiVersion: HelmChart.apiVersion, kind: HelmChart.kind, namespace: SHOP, name };
    const spec = {
      repo: "",
      chart: "web",
      version: "1.0.0",
      targetNamespace: "apps",
      createNamespace: true,
      timeoutSeconds: 30,
      ...wrong.spec(repositories),
    };
    const { apiVersion, kind } = HelmChart;
    if (wrong.overrides !== undefined) await override(name, feed, wrong.overrides);
    await bed.parent.create(HelmChart, { apiVersion, kind, metadata: { namespace: SHOP, name }, spec }, bed.signal);
    await bed.subscribe({ name, feeds: [feed] });
  }
});

test.each(wrongs)("$it", async (wrong) => {
  await eventually(
    "the Subscription says it",
    async () => {
      const conditions = (await bed.subscription(nameOf(wrong)))?.status?.conditions;
      const { status, message = "" } = conditions?.find(({ type }) => type === wrong.condition) ?? {};
      if (status === "False" && wrong.says.every((text) => new RegExp(sourceOf(text)).test(message))) return true;
      throw new Error(JSON.stringify(conditions));
    },
    { timeoutMs: 60_000 },
  );
});

test("no credential is in any of them", async () => {
  const types: readonly ResourceType[] = [HelmChart, HelmRelease, Description, Subscription, Event];
  const lists = await Promise.all(types.map((type) => bed.parent.list(type, {}, bed.signal)));
  // What a spec says, and the Secret that it names, is for those who may read them.
  const said = JSON.stringify(lists.map(({ items }) => items.map((item) => ({ ...item, spec: undefined }))));
  for (const password of PASSWORDS) {
    expect(said).not.toContain(password);
    expect(said).not.toContain(Buffer.from(password).toString("base64"));
  }
});

async function override(name: string, feed: Globalization["spec"]["feed"], patch: object): Promise<void> {
  const { apiVersion, kind } = Globalization;
  const overrides = [{ name: "values", type: "Helm", value: JSON.stringify(patch) }] as const;
  const spec = { overridePolicy: "ApplyNow", priority: 500, feed, overrides } as const;
  await bed.parent.create(Globalization, { apiVersion, kind, metadata: { name }, spec }, bed.signal);
}

function sourceOf(text: string | RegExp): string {
  return typeof text === "string" ? text.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&") : text.source;
}
