// The error that says: the object exists and belongs in the state, but it is not what it should become.

import { status } from "@grpc/grpc-js";
import providerMessages from "@pulumi/pulumi/proto/provider_pb.js";
import statusMessages from "@pulumi/pulumi/proto/status_pb.js";
import { PluginError, anyMessages, structMessages } from "#test/framework/pulumi-stand-ins/plugin-server.ts";
import type { JsonObject } from "./property-values.ts";

export interface InitFailure {
  readonly id: string;
  readonly properties: JsonObject;
  readonly inputs: JsonObject | undefined;
  readonly reasons: readonly string[];
  readonly cause: unknown;
}

export class InitFailedError extends PluginError {
  constructor(message: string, failure: InitFailure) {
    super(status.UNKNOWN, message, { cause: failure.cause, detailsBin: encodeDetails(message, failure) });
  }
}

function encodeDetails(message: string, { id, properties, inputs, reasons }: InitFailure): Uint8Array {
  const detail = new providerMessages.ErrorResourceInitFailed()
    .setId(id)
    .setProperties(structMessages.Struct.fromJavaScript({ ...properties }))
    .setReasonsList([...reasons]);
  if (inputs !== undefined) detail.setInputs(structMessages.Struct.fromJavaScript({ ...inputs }));
  const packed = new anyMessages.Any();
  packed.pack(detail.serializeBinary(), "pulumirpc.ErrorResourceInitFailed");
  return new statusMessages.Status().setCode(status.UNKNOWN).setMessage(message).setDetailsList([packed]).serializeBinary();
}
