// As which identity of the child a Description is applied. The one place that decides it, for pull and push alike. Pure.

import type { Description } from "#api/apps/v1alpha1/description.ts";
import { serviceAccounts } from "#api/names.ts";

export interface ChildIdentity {
  /** In the child's system namespace. What it may do is what the child's administrator bound to it. */
  readonly serviceAccount: string;
}

/**
 * Today every Description is applied as the deployer, whose role the child's administrator chose. An identity per tenant (from the
 * Subscription's namespace, which is a label of the Description) belongs here.
 */
export function childIdentityOf({ spec: { deployer } }: Pick<Description, "spec">): ChildIdentity {
  switch (deployer) {
    case "Generic":
    case "Helm":
      return { serviceAccount: serviceAccounts.appDeployer };
    default:
      return deployer satisfies never;
  }
}
