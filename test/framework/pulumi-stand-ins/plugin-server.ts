// What both stand-ins share: a gRPC server that announces itself as Pulumi plugins do, and the message classes of @pulumi/pulumi's own stubs.

import { createRequire } from "node:module";
import {
  Metadata,
  Server,
  ServerCredentials,
  status,
  type sendUnaryData,
  type ServerUnaryCall,
  type ServiceDefinition,
} from "@grpc/grpc-js";
import type { UntypedServiceImplementation } from "@grpc/grpc-js";
import type anyPb from "google-protobuf/google/protobuf/any_pb.js";
import type emptyPb from "google-protobuf/google/protobuf/empty_pb.js";
import type structPb from "google-protobuf/google/protobuf/struct_pb.js";
import { errorChain } from "#std/errors.ts";

const requireOfPulumi = createRequire(createRequire(import.meta.url).resolve("@pulumi/pulumi/package.json"));

// Messages of one copy of google-protobuf cannot be put into messages of another: these come from the copy that the stubs use.
/* eslint-disable @typescript-eslint/no-unsafe-assignment -- require() is untyped; the annotation is the type of what it loads */
export const structMessages: typeof structPb = requireOfPulumi("google-protobuf/google/protobuf/struct_pb.js");
export const emptyMessages: typeof emptyPb = requireOfPulumi("google-protobuf/google/protobuf/empty_pb.js");
export const anyMessages: typeof anyPb = requireOfPulumi("google-protobuf/google/protobuf/any_pb.js");
/* eslint-enable @typescript-eslint/no-unsafe-assignment */

/** The engine allows states of this size between itself and its plugins. */
const MESSAGE_BYTES_MAX = 400 * 1024 * 1024;
const ENGINE_WATCH_INTERVAL_MS = 2_000;

/** An error that reaches the engine with a gRPC status of its own. */
export class PluginError extends Error {
  override readonly name = "PluginError";
  readonly code: status;
  /** Encoded google.rpc.Status with details, sent as the grpc-status-details-bin trailer. */
  readonly detailsBin: Uint8Array | undefined;

  constructor(code: status, message: string, options: ErrorOptions & { readonly detailsBin?: Uint8Array } = {}) {
    super(message, options);
    this.code = code;
    this.detailsBin = options.detailsBin;
  }
}

/** Listens on loopback, prints the port as the only line on stdout, and ends with the engine that started it. */
export async function servePlugin(service: ServiceDefinition, implementation: UntypedServiceImplementation): Promise<Server> {
  const server = new Server({
    "grpc.max_receive_message_length": MESSAGE_BYTES_MAX,
    "grpc.max_send_message_length": MESSAGE_BYTES_MAX,
  });
  server.addService(service, implementation);
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) => {
    if (error === null) resolve(port);
    else reject(error);
  });
  process.stdout.write(`${String(await promise)}\n`);
  endWithEngine();
  return server;
}

/** Turns an async function into a handler of a unary call. */
export function unary<Request, Response>(
  handle: (request: Request) => Promise<Response> | Response,
): (call: ServerUnaryCall<Request, Response>, callback: sendUnaryData<Response>) => void {
  return (call, callback) => {
    void (async () => handle(call.request))().then(
      (response) => callback(null, response),
      (error: unknown) => callback(statusOfError(error)),
    );
  };
}

function statusOfError(error: unknown): Parameters<sendUnaryData<unknown>>[0] {
  const code = error instanceof PluginError ? error.code : status.UNKNOWN;
  const details = error instanceof PluginError ? error.message : errorChain(error);
  if (!(error instanceof PluginError) || error.detailsBin === undefined) return { code, details };
  const metadata = new Metadata();
  metadata.set("grpc-status-details-bin", Buffer.from(error.detailsBin));
  return { code, details, metadata };
}

/** An engine that was killed cannot say goodbye; its plugins must not stay. */
function endWithEngine(): void {
  const engine = process.ppid;
  setInterval(() => {
    if (process.ppid !== engine) process.exit(0);
  }, ENGINE_WATCH_INTERVAL_MS).unref();
}
