// The Secret that charts are pulled with, and who may read it: the controller-manager that one Secret, charts of named namespaces. Pure.

import { annotations, roles, secretKeys, serviceAccounts } from "#api/names.ts";
import { componentLabels, type InstallObject, type InstallStages, type Later } from "./object.ts";
import { roleObjects } from "./rbac.ts";

export interface ChartPullSecretInstall {
  /** Of the Secret. It must be there already. */
  readonly namespace: string;
  readonly name: string;
  /** Where the controller-manager lives. */
  readonly systemNamespace: string;
  readonly username?: Later;
  readonly password?: Later;
  /** PEM of the authority of the repository's certificate. */
  readonly caPem?: Later;
  /** A further host that may get the password, where a registry hands out its tokens. */
  readonly tokenHost?: Later;
  /** Further namespaces whose HelmCharts may use the Secret, or `*`. */
  readonly allowChartsFrom?: readonly string[];
}

export function chartPullSecretStages(options: ChartPullSecretInstall): InstallStages {
  const { namespace, name, systemNamespace } = options;
  const account = {
    name: serviceAccounts.controllerManager,
    namespace: systemNamespace,
    labels: componentLabels("controller-manager"),
  };
  // Not the role for every Secret of a namespace: this one is known by name.
  const rules = [{ apiGroups: [""], resources: ["secrets"], resourceNames: [name], verbs: ["get"] }] as const;
  return [roleObjects(account, { namespace, name: `${roles.chartSourcePrefix}${name}`, rules }), [secretObject(options)]];
}

function secretObject(options: ChartPullSecretInstall): InstallObject {
  const { namespace, name, username, password, caPem, tokenHost, allowChartsFrom = [] } = options;
  const content = {
    [secretKeys.username]: username,
    [secretKeys.password]: password,
    [secretKeys.caCertificate]: caPem,
    [secretKeys.tokenHost]: tokenHost,
  };
  const grant = { [annotations.allowChartsFrom]: allowChartsFrom.join(",") };
  return {
    apiVersion: "v1",
    kind: "Secret",
    metadata: { namespace, name, ...(allowChartsFrom.length === 0 ? {} : { annotations: grant }) },
    type: "Opaque",
    stringData: Object.fromEntries(Object.entries(content).filter(([, value]) => value !== undefined)),
  };
}
