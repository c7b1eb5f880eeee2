// What every stage of every installation must hold to: rights, addresses and locked-down containers.

import { describe, expect, test } from "@jest/globals";
import { parseAgentOptions } from "#agent/options.ts";
import { parseSchedulerOptions } from "#scheduler/options.ts";
import { chartPullSecretStages } from "./chart-pull-secret.ts";
import { clusterApiIntegrationStages } from "./cluster-api-integration.ts";
import { agentStages, bootstrapTokenObject, childNamespaceObject, joinGrantObject } from "./child.ts";
import { crdObjects, definitionsOwnerObject } from "./crds.ts";
import type { InstallObject } from "./object.ts";
import { controllerManagerStages, hubStages, parentBaseStages, schedulerStages } from "./parent.ts";

const component = { namespace: "clusternet-system", image: "example.test/image:1" } as const;
const child = {
  namespace: "clusternet-system",
  clusterName: "oslo",
  clusterNamespace: "clusternet-oslo",
  clusterLabels: { stage: "demo" },
  syncMode: "Dual",
  tokenId: "abcdef",
  tokenSecret: "0123456789abcdef",
} as const;

const objects: readonly InstallObject[] = [
  ...parentBaseStages({ namespace: "clusternet-system", reservedNamespace: "clusternet-reserved" }),
  ...hubStages(component),
  ...schedulerStages(component),
  ...controllerManagerStages({ ...component, reservedNamespace: "clusternet-reserved" }),
  ...clusterApiIntegrationStages({ ...component, parentUrl: "https://parent:6443" }),
  ...agentStages({ ...component, ...child, parentUrl: "https://parent:6443", parentCaPem: "PEM", registrationToken: "a.b" }),
  ...chartPullSecretStages({ namespace: "charts", name: "registry", systemNamespace: "clusternet-system", caPem: "PEM" }),
  [childNamespaceObject(child), bootstrapTokenObject(child), joinGrantObject(child), definitionsOwnerObject(), ...crdObjects()],
].flat();

interface Rule {
  readonly apiGroups?: readonly string[];
  readonly resources?: readonly string[];
  readonly verbs: readonly string[];
  readonly resourceNames?: readonly string[];
}

const ofKind = (...kinds: readonly string[]): readonly InstallObject[] => objects.filter(({ kind }) => kinds.includes(kind));
const named = (list: readonly InstallObject[]): string[] => list.map(({ kind, metadata }) => `${kind} ${metadata.name}`);
const rulesOf = (object: InstallObject): readonly Rule[] => (object["rules"] ?? []) as readonly Rule[];
const everyRule = ofKind("Role", "ClusterRole").flatMap((role) => rulesOf(role).map((rule) => ({ role, rule })));
/** A child's administrator chooses what the parent may deploy there; this is the default that we ship. */
const isDeployer = ({ role }: { readonly role: InstallObject }): boolean => role.metadata.name === "clusternet:app:deployer";

describe("Rights", () => {
  test("nobody gets cluster-admin, and nobody who did not log in gets anything", () => {
    const bindings = ofKind("RoleBinding", "ClusterRoleBinding");
    expect(bindings.length).toBeGreaterThan(8);
    const text = JSON.stringify(bindings);
    for (const forbidden of [
      "cluster-admin",
      "system:anonymous",
      "system:unauthenticated",
      "system:authenticated",
      "system:masters",
    ]) {
      expect(text).not.toContain(`"${forbidden}"`);
    }
  });

  test("no rule of a component names all groups or all resources, or may do everything with Secrets", () => {
    const wide = everyRule
      .filter((each) => !isDeployer(each))
      .filter(({ rule }) => {
        const secrets = rule.resources?.includes("secrets") === true;
        // RBAC has no wildcard for the keys of extras: the proxy account may impersonate with every one.
        const isImpersonation = rule.verbs.join() === "impersonate" && rule.apiGroups?.join() === "authentication.k8s.io";
        const all = !isImpersonation && (rule.apiGroups?.includes("*") === true || rule.resources?.includes("*") === true);
        return all || (secrets && rule.verbs.includes("*"));
      });
    expect(named(wide.map(({ role }) => role))).toEqual([]);
  });

  test("on the parent, Secrets of the whole cluster are listed by nobody, and read by the one that must", () => {
    // A role that is bound in single namespaces by the parent's administrator gives nothing by itself.
    const everywhere = new Set(
      ofKind("ClusterRoleBinding").map((binding) => (binding.roleRef as { readonly name: string }).name),
    );
    const readers = everyRule
      .filter((each) => each.role.kind === "ClusterRole" && !isDeployer(each) && everywhere.has(each.role.metadata.name))
      .filter(({ rule }) => rule.resources?.includes("secrets") === true && rule.resourceNames === undefined);
    expect([...new Set(named(readers.map(({ role }) => role)))]).toEqual(["ClusterRole clusternet:cluster-api-integration"]);
    expect(readers.flatMap(({ rule }) => rule.verbs)).toEqual(["get"]);
  });

  test("nobody may escalate: no bind, escalate or unlimited impersonation but the proxy account's", () => {
    const risky = everyRule
      .filter((each) => !isDeployer(each))
      .filter(({ rule }) => rule.verbs.some((verb) => ["bind", "escalate"].includes(verb)) && rule.resourceNames === undefined);
    expect(named(risky.map(({ role }) => role))).toEqual([]);
    const impersonators = everyRule
      .filter(({ rule }) => rule.verbs.includes("impersonate"))
      .map(({ role }) => role.metadata.name);
    expect(new Set(impersonators)).toEqual(new Set(["clusternet:proxy"]));
  });

  test("every binding is for a role that is installed too, or that every cluster has", () => {
    const roles = new Set(ofKind("Role", "ClusterRole").map(({ metadata }) => metadata.name));
    const missing = ofKind("RoleBinding", "ClusterRoleBinding")
      .map((binding) => (binding["roleRef"] as { readonly name: string }).name)
      .filter((name) => !roles.has(name));
    expect(missing).toEqual(["extension-apiserver-authentication-reader"]);
  });
});

test("a scheduler with a configuration reads it from a ConfigMap, and starts again when it changes", () => {
  const install = (price: number): readonly InstallObject[] =>
    schedulerStages({
      ...component,
      config: {
        profiles: [{ schedulerName: "mine", pluginConfig: [{ name: "Cheap", args: { price } }] }],
        modules: ["./cheap.mjs"],
      },
      files: { "cheap.mjs": "export {}" },
    }).flat();
  const [stored, deployment] = [install(7).find(({ kind }) => kind === "ConfigMap"), install(7).at(-1)];
  const data = stored?.["data"] as Readonly<Record<string, string>>;
  expect(data["cheap.mjs"]).toBe("export {}");
  expect(JSON.parse(data["config.yaml"] ?? "")).toMatchObject({ profiles: [{ schedulerName: "mine" }] });
  expect(deployment).toMatchObject({
    spec: {
      template: {
        spec: {
          containers: [
            {
              args: expect.arrayContaining(["--config=/etc/clusternet/scheduler/config.yaml"]),
              volumeMounts: [{ name: "config", mountPath: "/etc/clusternet/scheduler", readOnly: true }],
            },
          ],
          volumes: [{ name: "config", configMap: { name: stored?.metadata.name } }],
        },
      },
    },
  });
  const checksumOf = (object: InstallObject | undefined): unknown =>
    (object as { readonly spec?: { readonly template?: { readonly metadata?: object } } } | undefined)?.spec?.template?.metadata;
  expect(checksumOf(install(8).at(-1))).not.toEqual(checksumOf(deployment));
});

test("a further scheduler in the same namespace shares no object with the first, and leads by a Lease of its own", () => {
  const further = schedulerStages({ ...component, instance: "batch", extraArgs: ["--scheduler-name=batch"] }).flat();
  const keyOf = ({ kind, metadata }: InstallObject): string => `${kind} ${metadata.namespace ?? ""}/${metadata.name}`;
  const first = new Set(objects.map(keyOf));
  expect(further.map(keyOf).filter((key) => first.has(key))).toEqual([]);
  const name = "clusternet-scheduler-batch";
  expect(further.at(-1)).toMatchObject({
    spec: {
      selector: { matchLabels: { "app.kubernetes.io/name": name } },
      template: {
        metadata: { labels: { "app.kubernetes.io/name": name } },
        spec: {
          serviceAccountName: name,
          containers: [
            {
              args: expect.arrayContaining(["scheduler", `--leader-elect-resource-name=${name}`, "--scheduler-name=batch"]),
            },
          ],
        },
      },
    },
  });
  const rules = further.find(({ kind }) => kind === "Role")?.["rules"] as readonly Rule[];
  expect(rules.flatMap(({ resourceNames = [] }) => resourceNames)).toEqual([name]);
});

describe("Deployments", () => {
  const deployments = ofKind("Deployment");

  test("there is one of each component", () => {
    expect(deployments.map(({ metadata }) => metadata.name).sort()).toEqual([
      "clusternet-agent",
      "clusternet-cluster-api-integration",
      "clusternet-controller-manager",
      "clusternet-hub",
      "clusternet-scheduler",
    ]);
  });

  test.each(deployments.map((deployment) => [deployment.metadata.name, deployment] as const))(
    "%s is locked down",
    (name, deployment) => {
      const { template } = deployment["spec"] as { template: { spec: { serviceAccountName: string; containers: object[] } } };
      expect(template.spec).toMatchObject({
        serviceAccountName: name,
        securityContext: { runAsNonRoot: true, seccompProfile: { type: "RuntimeDefault" } },
        containers: [
          {
            args: expect.arrayContaining([name.replace("clusternet-", "")]),
            env: expect.arrayContaining([
              { name: "POD_IP", valueFrom: { fieldRef: { apiVersion: "v1", fieldPath: "status.podIP" } } },
              { name: "POD_NAMESPACE", valueFrom: { fieldRef: { apiVersion: "v1", fieldPath: "metadata.namespace" } } },
            ]),
            securityContext: { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ["ALL"] } },
          },
        ],
      });
      expect(JSON.stringify(deployment)).not.toContain("0.0.0.0");
    },
  );
});

test("no two objects of one kind share a namespace and a name in one cluster", () => {
  const inOneCluster = objects.filter(({ metadata }) => metadata.labels?.["app.kubernetes.io/name"] !== "clusternet-agent");
  const keys = inOneCluster.map(({ kind, metadata }) => `${kind}/${metadata.namespace ?? ""}/${metadata.name}`);
  // The agent's system namespace is the child's.
  const twice = keys.filter((key, index) => keys.indexOf(key) !== index && key !== "Namespace//clusternet-system");
  expect(twice).toEqual([]);
});

test("questions without the tunnel: the agent's port has a Secret's certificate, and the scheduler shows that of another", () => {
  const podOf = (stages: readonly (readonly InstallObject[])[]): unknown =>
    (stages.flat().find(({ kind }) => kind === "Deployment")?.["spec"] as { template: { spec: unknown } }).template.spec;
  const volumeMounts = expect.arrayContaining([{ name: "predictor", mountPath: "/etc/clusternet/predictor", readOnly: true }]);
  const volumes = (secretName: string): unknown => expect.arrayContaining([{ name: "predictor", secret: { secretName } }]);
  const files = (names: readonly [string, string, string]): readonly string[] =>
    ["tls.crt", "tls.key", "ca.crt"].map(
      (file, index) => `--predictor-${names[index] ?? ""}-file=/etc/clusternet/predictor/${file}`,
    );

  const joining = { ...component, ...child, parentUrl: "https://parent:6443", registrationToken: "a.b" } as const;
  const predictorPort = { url: "https://predictor.oslo:9443", port: 9443, secretName: "oslo", clientNames: ["ana", "scheduler"] };
  const args = [
    "--predictor-direct-access",
    "--predictor-direct-url=https://predictor.oslo:9443",
    "--predictor-port=9443",
    "--predictor-client-names=ana,scheduler",
    ...files(["cert", "key", "client-ca"]),
  ];
  const env = { PARENT_URL: "https://parent:6443", REG_TOKEN: "abcdef.0123456789abcdef" };
  const ports = expect.arrayContaining([{ name: "predictor", containerPort: 9443, protocol: "TCP" }]);
  expect(podOf(agentStages({ ...joining, predictorPort }))).toMatchObject({
    containers: [{ args: expect.arrayContaining(args), volumeMounts, ports }],
    volumes: volumes("oslo"),
  });
  expect(parseAgentOptions(argsOf(podOf(agentStages({ ...joining, predictorPort }))), env)).toMatchObject({
    predictorPort: 9443,
  });

  for (const config of [undefined, { profiles: [{ schedulerName: "mine" }] }]) {
    const own = { ...component, predictorSecretName: "caller", ...(config === undefined ? {} : { config }) };
    expect(podOf(schedulerStages(own))).toMatchObject({
      containers: [{ args: expect.arrayContaining([...files(["client-cert", "client-key", "ca"])]), volumeMounts }],
      volumes: volumes("caller"),
    });
    expect(parseSchedulerOptions(argsOf(podOf(schedulerStages(own))), {})).toMatchObject({
      predictorCaFile: "/etc/clusternet/predictor/ca.crt",
    });
  }
});

/** Without the component's name, which the entry of the image takes. */
function argsOf(pod: unknown): readonly string[] {
  return (pod as { containers: { args: readonly string[] }[] }).containers[0]?.args.slice(1) ?? [];
}

test("a token that changes restarts the agent that reads it; without a checksum nothing does", () => {
  const options = { ...component, ...child, parentUrl: "https://parent:6443", registrationToken: "a.b" } as const;
  const annotationsWith = (more: object): unknown =>
    (
      agentStages({ ...options, ...more })
        .flat()
        .find(({ kind }) => kind === "Deployment")?.["spec"] as { template: { metadata: { annotations?: object } } }
    ).template.metadata.annotations;
  expect(annotationsWith({})).toBeUndefined();
  expect(annotationsWith({ registrationChecksum: "x" })).toEqual({ "clusternet.io/configuration-checksum": "x" });
});

test("the grant says who may join as what, and in which mode", () => {
  expect(joinGrantObject(child)["data"]).toEqual({
    username: "system:bootstrap:abcdef",
    clusterName: "oslo",
    clusterNamespace: "clusternet-oslo",
    clusterLabels: '{"stage":"demo"}',
    syncModes: "Dual",
  });
});
