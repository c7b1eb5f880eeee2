// Tells the user what a resource is doing: lasting diagnostics, and status lines that the next one replaces.

import { credentials } from "@grpc/grpc-js";
import { EngineClient } from "@pulumi/pulumi/proto/engine_grpc_pb.js";
import engineMessages from "@pulumi/pulumi/proto/engine_pb.js";

export interface EngineLog {
  info(urn: string, message: string): void;
  warn(urn: string, message: string): void;
  /** An empty message clears the line. */
  status(urn: string, message: string): void;
}

export function createEngineLog(engineAddress: string): EngineLog {
  const client = new EngineClient(engineAddress, credentials.createInsecure());
  const lastStatus = new Map<string, string>();
  const { INFO, WARNING } = engineMessages.LogSeverity;
  const log = (severity: typeof INFO | typeof WARNING, entry: { urn: string; message: string; ephemeral: boolean }): void => {
    const request = new engineMessages.LogRequest()
      .setSeverity(severity)
      .setUrn(entry.urn)
      .setMessage(entry.message)
      .setEphemeral(entry.ephemeral);
    // The work goes on when nobody is listening any more.
    client.log(request, () => undefined);
  };
  return {
    info: (urn, message) => log(INFO, { urn, message, ephemeral: false }),
    warn: (urn, message) => log(WARNING, { urn, message, ephemeral: false }),
    status: (urn, message) => {
      if ((lastStatus.get(urn) ?? "") === message) return;
      lastStatus.set(urn, message);
      log(INFO, { urn, message, ephemeral: true });
    },
  };
}
