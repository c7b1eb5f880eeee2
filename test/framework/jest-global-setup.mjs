// Jest's globalSetup of the "real" project: makes the shared control plane available to every worker. Plain JavaScript, because Jest
// would put its own module loader in front of TypeScript.
import { serveSharedControlPlane } from "#test/framework/shared-control-plane.ts";

export default async function setup() {
  globalThis.clusternetSharedControlPlane = await serveSharedControlPlane();
}
