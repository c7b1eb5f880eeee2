// A TCP relay that holds every byte back for half a round trip each way, a process of its own.

import { connect, createServer, type AddressInfo, type Socket } from "node:net";

export interface DelayConfig {
  readonly port: number;
  readonly roundTripMs: number;
}

/** Enough for every window under test; a real path holds less. */
const IN_FLIGHT_BYTES_MAX = 64 * 1024 * 1024;

const { port, roundTripMs } = JSON.parse(process.argv[2] ?? "{}") as DelayConfig;
const server = createServer((near) => {
  const far = connect(port, "127.0.0.1");
  relay(near, far);
  relay(far, near);
});
server.listen(0, "127.0.0.1", () => {
  process.send?.({ port: (server.address() as AddressInfo).port });
});
process.on("disconnect", () => {
  process.exit();
});

function relay(from: Socket, to: Socket): void {
  const queue: { readonly chunk: Buffer; readonly dueMs: number }[] = [];
  let inFlight = 0;
  let isWaiting = false;
  const release = (): void => {
    isWaiting = false;
    const now = performance.now();
    for (let next = queue[0]; next !== undefined && next.dueMs <= now; next = queue[0]) {
      queue.shift();
      inFlight -= next.chunk.length;
      to.write(next.chunk);
    }
    if (inFlight < IN_FLIGHT_BYTES_MAX) from.resume();
    wait();
  };
  const wait = (): void => {
    const next = queue[0];
    if (isWaiting || next === undefined) return;
    isWaiting = true;
    setTimeout(release, Math.max(0, next.dueMs - performance.now()));
  };
  from.setNoDelay(true);
  from.on("data", (chunk: Buffer) => {
    queue.push({ chunk, dueMs: performance.now() + roundTripMs / 2 });
    inFlight += chunk.length;
    if (inFlight >= IN_FLIGHT_BYTES_MAX) from.pause();
    wait();
  });
  from.on("close", () => to.destroy());
  from.on("error", () => to.destroy());
}
