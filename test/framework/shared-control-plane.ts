// One control plane for a whole Jest run: started by the first test that asks, used by all workers, ended with the run.
//
// The main Jest process owns it (jest-global-setup.mjs starts the server below before any worker exists, jest-global-teardown.mjs ends
// it). A worker asks through a Unix socket whose path is in the environment, so no lock and no stale file can exist. Without that
// variable (a script, another runner) the asking process starts one of its own, which goes with it.

import { once } from "node:events";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { errorChain } from "#std/errors.ts";
import {
  controlPlaneAccess,
  startControlPlane,
  type ControlPlane,
  type ControlPlaneAccess,
} from "#test/framework/control-plane.ts";
import { createOwnedDirectory } from "#test/framework/owned-directory.ts";

const SOCKET_VARIABLE = "CLUSTERNET_SHARED_CONTROL_PLANE_SOCKET";

type AccessData = Omit<ControlPlaneAccess, "kubeconfigFor">;
type Answer = { readonly access: AccessData } | { readonly error: string };

let mine: Promise<ControlPlaneAccess> | undefined;

/** Tests share it, so they use namespaces of their own (namespaces.ts) and leave nothing cluster-wide behind. */
export function sharedControlPlane(): Promise<ControlPlaneAccess> {
  const socketPath = process.env[SOCKET_VARIABLE];
  mine ??= socketPath === undefined ? startControlPlane({ name: "shared" }) : ask(socketPath);
  return mine;
}

/** Called once, in the main Jest process. The control plane itself starts when the first test asks. */
export async function serveSharedControlPlane(): Promise<AsyncDisposable> {
  // Private to this user: what is answered holds the keys of the control plane's authorities. Gone with us, however we end.
  const directory = await createOwnedDirectory("shared-socket");
  let controlPlane: Promise<ControlPlane> | undefined;
  const answer = async (): Promise<Answer> => {
    try {
      controlPlane ??= startControlPlane({ name: "shared" });
      return { access: dataOf(await controlPlane) };
    } catch (error) {
      return { error: errorChain(error) };
    }
  };
  const server = createServer((socket) => {
    socket.on("error", () => undefined);
    void answer().then((value) => socket.end(JSON.stringify(value)));
  });
  const socketPath = join(directory.path, "socket");
  server.listen(socketPath);
  await once(server, "listening");
  server.unref();
  process.env[SOCKET_VARIABLE] = socketPath;
  return {
    [Symbol.asyncDispose]: async () => {
      server.close();
      await controlPlane?.then(
        (started) => started[Symbol.asyncDispose](),
        () => undefined,
      );
      await directory[Symbol.asyncDispose]();
    },
  };
}

async function ask(socketPath: string): Promise<ControlPlaneAccess> {
  const answer = JSON.parse(await text(connect(socketPath))) as Answer;
  if ("error" in answer) throw new Error(answer.error);
  return controlPlaneAccess(answer.access);
}

function dataOf(controlPlane: ControlPlane): AccessData {
  const { name, server, host, port, caPem, adminKubeconfig, directory, authorities, serviceRange, slot } = controlPlane;
  return { name, server, host, port, caPem, adminKubeconfig, directory, authorities, serviceRange, slot };
}
