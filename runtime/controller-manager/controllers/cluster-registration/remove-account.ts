// Deletes a child's account on the parent: every token of it stops working at once, because tokens are bound to the account's uid.

import { serviceAccounts } from "#api/names.ts";
import { ServiceAccount } from "#kube/builtin-kinds.ts";
import type { Client } from "#kube/client.ts";

export function removeAccount(
  client: Client,
  { namespace }: { readonly namespace: string },
  signal: AbortSignal,
): Promise<boolean> {
  return client.delete(ServiceAccount, { namespace, name: serviceAccounts.agent }, {}, signal);
}
