// deploy/*.yaml: what Pulumi installs, as files for `kubectl apply`, from the same functions; placeholders where a person must fill in.

import { agentStages, bootstrapTokenObject, childNamespaceObject, joinGrantObject, type ChildOnParent } from "#install/child.ts";
import { clusterApiIntegrationStages } from "#install/cluster-api-integration.ts";
import { INSTALL_DEFAULTS, type InstallObject, type InstallStages } from "#install/object.ts";
import { controllerManagerStages, hubStages, parentBaseStages, schedulerStages } from "#install/parent.ts";
import { packageVersion } from "#std/version.ts";
import { yamlFile } from "./crds.ts";

const { namespace, reservedNamespace, imageRepository } = INSTALL_DEFAULTS;
const component = { namespace, image: `${imageRepository}:${packageVersion}` };

/** Each is said in the file's first lines. */
const placeholders = {
  parentUrl: "https://parent.example:6443",
  parentCaPem: "-----BEGIN CERTIFICATE-----\nthe certificate authority of the parent\n-----END CERTIFICATE-----\n",
  tokenId: "abcdef",
  tokenSecret: "0123456789abcdef",
} as const;

const child: ChildOnParent = {
  namespace,
  clusterName: "child-1",
  clusterNamespace: "clusternet-child-1",
  syncMode: "Pull",
  tokenId: placeholders.tokenId,
  tokenSecret: placeholders.tokenSecret,
};

interface InstallFile {
  readonly name: string;
  readonly about: string;
  readonly stages: InstallStages;
}

const files: readonly InstallFile[] = [
  {
    name: "hub",
    about: "Parent, after crds/: namespaces, roles for people, admission policies, and the hub",
    stages: [...parentBaseStages({ namespace, reservedNamespace }), ...hubStages(component)],
  },
  { name: "scheduler", about: "Parent, after hub.yaml: the scheduler", stages: schedulerStages(component) },
  {
    name: "controller-manager",
    about: "Parent, after hub.yaml: the controller-manager",
    stages: controllerManagerStages({ ...component, reservedNamespace }),
  },
  {
    name: "join-grant",
    about:
      "Parent, one of these for each child: its namespace, its bootstrap token and the grant to join. Replace child-1 and the token " +
      "(6 and 16 characters of a-z0-9, random)",
    stages: [[childNamespaceObject(child)], [bootstrapTokenObject(child), joinGrantObject(child)]],
  },
  {
    name: "agent",
    about: "Child: the agent. Replace child-1, parentURL, ca.crt and regToken (<id>.<secret> of join-grant.yaml)",
    stages: agentStages({
      ...component,
      clusterName: child.clusterName,
      clusterNamespace: child.clusterNamespace,
      syncMode: child.syncMode,
      parentUrl: placeholders.parentUrl,
      parentCaPem: placeholders.parentCaPem,
      registrationToken: `${placeholders.tokenId}.${placeholders.tokenSecret}`,
    }),
  },
  {
    name: "cluster-api-integration",
    about: "Parent with Cluster API, after hub.yaml: joins its clusters. Replace parentURL and ca.crt",
    stages: clusterApiIntegrationStages({
      ...component,
      parentUrl: placeholders.parentUrl,
      parentCaPem: placeholders.parentCaPem,
    }),
  },
];

export function installFiles(): ReadonlyMap<string, string> {
  return new Map(files.map((file) => [`deploy/${file.name}.yaml`, contentOf(file)]));
}

function contentOf({ about, stages }: InstallFile): string {
  const objects: readonly InstallObject[] = stages.flat();
  const [generated = "", ...rest] = yamlFile(...objects).split("\n");
  return [generated, `# ${about}.`, ...rest].join("\n");
}
