// A private chart repository's credential on the parent, with the permission to pull charts with it.

import * as pulumi from "@pulumi/pulumi";
import * as z from "zod";
import { chartPullSecretStages } from "#install/chart-pull-secret.ts";
import { INSTALL_DEFAULTS } from "#install/object.ts";
import { checkArguments, known, namespaceName } from "./arguments.ts";
import { requireProvider } from "./cluster.ts";
import { createStages, dependenciesOf } from "./objects.ts";

export interface ChartPullSecretArgs {
  /** Namespace of the Secret, which must exist: that of the HelmCharts, unless `allowChartsFrom` names theirs. */
  readonly namespace: string;
  /** What a HelmChart's `chartPullSecret.name` says. Default: the resource's name. */
  readonly secretName?: string;
  /** Sent to the repository's own host only. Kept secret in the state. */
  readonly username?: pulumi.Input<string>;
  /** Kept secret in the state. */
  readonly password?: pulumi.Input<string>;
  /** PEM of the authority of the repository's certificate, where systems do not trust it by themselves. */
  readonly caPem?: pulumi.Input<string>;
  /** A further host that may get the password, where the registry hands out its tokens: `auth.docker.io` for Docker Hub. */
  readonly tokenHost?: pulumi.Input<string>;
  /** Further namespaces whose HelmCharts may use the Secret; `*` is all. */
  readonly allowChartsFrom?: readonly string[];
  /** Where the controller-manager lives. Default `clusternet-system`. */
  readonly systemNamespace?: string;
}

const OBJECT_NAME_LENGTH_MAX = 200;

export const chartPullSecretArgumentsShape = {
  namespace: namespaceName,
  secretName: z
    .string()
    .min(1)
    .max(OBJECT_NAME_LENGTH_MAX)
    .regex(/^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$/, "Must be the name of a Secret: lower-case letters, digits, dashes and dots")
    .optional(),
  username: known(z.string().min(1)).optional(),
  password: known(z.string().min(1)).optional(),
  caPem: known(z.string().includes("-----BEGIN CERTIFICATE-----", { error: "Must be PEM" })).optional(),
  tokenHost: known(z.string().min(1)).optional(),
  allowChartsFrom: z.array(z.union([z.literal("*"), namespaceName])).optional(),
  systemNamespace: namespaceName.optional(),
} as const;

export const CREDENTIAL_IS_WHOLE = "Give username and password together, or caPem alone";

interface Credential {
  readonly username?: unknown;
  readonly password?: unknown;
  readonly caPem?: unknown;
}

export function hasWholeCredential({ username, password, caPem }: Credential): boolean {
  return (username === undefined) === (password === undefined) && (username !== undefined || caPem !== undefined);
}

/**
 * The Secret, and a Role by which the controller-manager may read this Secret and no other; it lends that right to the children that pull
 * the chart themselves, as long as they do.
 */
export class ChartPullSecret extends pulumi.ComponentResource {
  /** For `chartPullSecret` of a HelmChart. */
  readonly reference: { readonly namespace: string; readonly name: string };
  readonly resources: readonly pulumi.CustomResource[];

  constructor(name: string, args: ChartPullSecretArgs, options: pulumi.ComponentResourceOptions) {
    const secretName = args.secretName ?? name;
    const schema = z.strictObject(chartPullSecretArgumentsShape).refine(hasWholeCredential, CREDENTIAL_IS_WHOLE);
    checkArguments(`ChartPullSecret ${name}`, schema, { ...args, secretName });
    const { namespace, allowChartsFrom, systemNamespace = INSTALL_DEFAULTS.namespace } = args;
    super("clusternet:index:ChartPullSecret", name, { namespace, secretName, allowChartsFrom }, options);
    this.reference = { namespace, name: secretName };
    const secret = (value: pulumi.Input<string> | undefined): pulumi.Output<string> | undefined =>
      value === undefined ? undefined : pulumi.secret(value);
    const stages = chartPullSecretStages({
      namespace,
      name: secretName,
      systemNamespace,
      username: secret(args.username),
      password: secret(args.password),
      caPem: args.caPem,
      tokenHost: args.tokenHost,
      ...(allowChartsFrom === undefined ? {} : { allowChartsFrom }),
    });
    this.resources = createStages(name, stages, {
      parent: this,
      provider: requireProvider(this, `ChartPullSecret ${name}`),
      dependsOn: dependenciesOf(options),
    });
    this.registerOutputs({ reference: this.reference });
  }
}
