// A namespace that no other test uses, for tests that share a control plane.

import { randomBytes } from "node:crypto";
import { connectApiClient } from "#test/framework/api-client.ts";
import type { ControlPlaneAccess } from "#test/framework/control-plane.ts";

/** Creates `<prefix>-<random>`. It is not deleted: that takes seconds, and the control plane goes away anyway. */
export async function createTestNamespace(
  { adminKubeconfig }: Pick<ControlPlaneAccess, "adminKubeconfig">,
  prefix = "test",
): Promise<string> {
  await using client = await connectApiClient(adminKubeconfig);
  const name = `${prefix}-${randomBytes(4).toString("hex")}`;
  await client.create("/api/v1/namespaces", { apiVersion: "v1", kind: "Namespace", metadata: { name } });
  return name;
}
