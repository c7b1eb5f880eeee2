// Jest's globalTeardown of the "real" project.
export default async function teardown() {
  await globalThis.clusternetSharedControlPlane?.[Symbol.asyncDispose]();
}
