// Stand-in for the official Kubernetes provider: gRPC requests in, plain JSON through the operations, gRPC responses out.
//
// Started by the engine as `pulumi-resource-kubernetes ENGINE_ADDRESS`.

import { createRequire } from "node:module";
import { status } from "@grpc/grpc-js";
import pluginMessages from "@pulumi/pulumi/proto/plugin_pb.js";
import { ResourceProviderService } from "@pulumi/pulumi/proto/provider_grpc_pb.js";
import providerMessages from "@pulumi/pulumi/proto/provider_pb.js";
import type {
  CheckRequest,
  ConfigureRequest,
  CreateRequest,
  DeleteRequest,
  DiffRequest,
  InvokeRequest,
  ReadRequest,
  UpdateRequest,
} from "@pulumi/pulumi/proto/provider_pb.js";
import { parseAllDocuments } from "yaml";
import { errorChain } from "#std/errors.ts";
import {
  PluginError,
  emptyMessages,
  servePlugin,
  structMessages,
  unary,
} from "#test/framework/pulumi-stand-ins/plugin-server.ts";
import { checkResource } from "./check-resource.ts";
import { connectCluster, createUnreachableCluster, type Cluster } from "./cluster.ts";
import { diffConfiguration, parseConfiguration } from "./configuration.ts";
import { deleteResource } from "./delete-resource.ts";
import { diffResource } from "./diff-resource.ts";
import { createEngineLog } from "./engine-log.ts";
import { stringField } from "./kubernetes-object.ts";
import type { ProviderContext } from "./provider-context.ts";
import { isObject, toKubernetes, type Json, type JsonObject } from "./property-values.ts";
import { readResource } from "./read-resource.ts";
import { createResource, updateResource } from "./write-resource.ts";

type Struct = InstanceType<typeof structMessages.Struct>;

/** A cluster that does not answer at all must not hold up the programs that do not need it. */
const REACH_LIMIT_MS = 10_000;

const engineAddress = process.argv.slice(2).find((argument) => !argument.startsWith("-")) ?? "";
const log = createEngineLog(engineAddress);
const cancellation = new AbortController();
let configured: ProviderContext | undefined;

await servePlugin(ResourceProviderService, {
  getPluginInfo: unary(() => new pluginMessages.PluginInfo().setVersion(sdkVersion())),
  checkConfig: unary((request: CheckRequest) => new providerMessages.CheckResponse().setInputs(request.getNews())),
  diffConfig: unary(diffConfig),
  configure: unary(configure),
  check: unary(check),
  diff: unary(diff),
  create: unary(create),
  read: unary(read),
  update: unary(update),
  delete: unary(remove),
  invoke: unary(invoke),
  cancel: unary(() => {
    cancellation.abort(new Error("The operation was cancelled"));
    return new emptyMessages.Empty();
  }),
});

/** The engine wants the version of the SDK that a program's resources ask for. */
function sdkVersion(): string {
  const manifest: unknown = createRequire(import.meta.url)("@pulumi/kubernetes/package.json");
  return isObject(manifest) ? `v${stringField(manifest, "version")}` : "v4.0.0";
}

async function diffConfig(request: DiffRequest): Promise<InstanceType<typeof providerMessages.DiffResponse>> {
  const { DIFF_NONE, DIFF_SOME } = providerMessages.DiffResponse.DiffChanges;
  const changed = await diffConfiguration(fromStruct(request.getOlds()), fromStruct(request.getNews()));
  const response = new providerMessages.DiffResponse();
  if (changed === undefined) return response.setChanges(DIFF_NONE);
  return response
    .setChanges(DIFF_SOME)
    .setDiffsList([...changed.diffs])
    .setReplacesList([...changed.replaces]);
}

async function configure(request: ConfigureRequest): Promise<InstanceType<typeof providerMessages.ConfigureResponse>> {
  const configuration = parseConfiguration(fromStruct(request.getArgs()), process.env);
  let unreachable: string | undefined;
  let cluster: Cluster | undefined;
  try {
    cluster = await connectCluster(configuration);
    await cluster.checkReachable(AbortSignal.any([cancellation.signal, AbortSignal.timeout(REACH_LIMIT_MS)]));
  } catch (error) {
    unreachable = errorChain(error);
  }
  configured = {
    configuration,
    cluster: cluster ?? createUnreachableCluster(unreachable ?? "unknown"),
    defaultNamespace:
      unreachable === undefined ? (configuration.namespace ?? cluster?.defaultNamespace) : configuration.namespace,
    unreachable,
    log,
    signal: cancellation.signal,
  };
  return new providerMessages.ConfigureResponse()
    .setAcceptsecrets(true)
    .setSupportspreview(true)
    .setSupportsAutonamingConfiguration(true);
}

async function check(request: CheckRequest): Promise<InstanceType<typeof providerMessages.CheckResponse>> {
  const checked = await checkResource(context(), {
    type: request.getType(),
    name: request.getName(),
    olds: fromStruct(request.getOlds()),
    news: fromStruct(request.getNews()),
    randomSeed: request.getRandomseed_asU8(),
    proposedName: request.getAutonaming()?.getProposedName(),
  });
  const failures = checked.failures.map(({ property, reason }) =>
    new providerMessages.CheckFailure().setProperty(property).setReason(reason),
  );
  return new providerMessages.CheckResponse().setInputs(toStruct(checked.inputs)).setFailuresList(failures);
}

async function diff(request: DiffRequest): Promise<InstanceType<typeof providerMessages.DiffResponse>> {
  const { differences, replaces, deleteBeforeReplace } = await diffResource(context(), {
    type: request.getType(),
    olds: fromStruct(request.getOlds()),
    news: fromStruct(request.getNews()),
    ignoreChanges: request.getIgnorechangesList(),
  });
  const { DIFF_NONE, DIFF_SOME } = providerMessages.DiffResponse.DiffChanges;
  const response = new providerMessages.DiffResponse()
    .setChanges(differences.size === 0 ? DIFF_NONE : DIFF_SOME)
    .setReplacesList([...replaces])
    .setDeletebeforereplace(deleteBeforeReplace)
    .setHasdetaileddiff(true);
  for (const [path, change] of differences) {
    const kind = providerMessages.PropertyDiff.Kind[change];
    response
      .getDetaileddiffMap()
      .set(path, new providerMessages.PropertyDiff().setKind(kind).setInputdiff(change.startsWith("DELETE")));
  }
  return response;
}

async function create(request: CreateRequest): Promise<InstanceType<typeof providerMessages.CreateResponse>> {
  const { id, properties } = await createResource(context(), {
    urn: request.getUrn(),
    type: request.getType(),
    properties: fromStruct(request.getProperties()),
    timeoutSeconds: request.getTimeout(),
    preview: request.getPreview(),
  });
  return new providerMessages.CreateResponse().setId(id).setProperties(toStruct(properties));
}

async function update(request: UpdateRequest): Promise<InstanceType<typeof providerMessages.UpdateResponse>> {
  const properties = await updateResource(context(), {
    urn: request.getUrn(),
    type: request.getType(),
    olds: fromStruct(request.getOlds()),
    news: fromStruct(request.getNews()),
    timeoutSeconds: request.getTimeout(),
    preview: request.getPreview(),
    ignoreChanges: request.getIgnorechangesList(),
  });
  return new providerMessages.UpdateResponse().setProperties(toStruct(properties));
}

async function read(request: ReadRequest): Promise<InstanceType<typeof providerMessages.ReadResponse>> {
  const found = await readResource(context(), {
    urn: request.getUrn(),
    type: request.getType(),
    id: request.getId(),
    inputs: fromStruct(request.getInputs()),
    properties: fromStruct(request.getProperties()),
  });
  const response = new providerMessages.ReadResponse();
  if (found === undefined) return response;
  return response.setId(found.id).setProperties(toStruct(found.properties)).setInputs(toStruct(found.inputs));
}

async function remove(request: DeleteRequest): Promise<InstanceType<typeof emptyMessages.Empty>> {
  await deleteResource(context(), {
    urn: request.getUrn(),
    type: request.getType(),
    id: request.getId(),
    properties: fromStruct(request.getProperties()),
    timeoutSeconds: request.getTimeout(),
  });
  return new emptyMessages.Empty();
}

/** Only what the SDK's YAML helpers ask for. */
function invoke(request: InvokeRequest): InstanceType<typeof providerMessages.InvokeResponse> {
  if (request.getTok() !== "kubernetes:yaml:decode") {
    throw new PluginError(status.UNIMPLEMENTED, `The stand-in provider has no function ${request.getTok()}`);
  }
  const { text } = toKubernetes(fromStruct(request.getArgs()));
  const documents = parseAllDocuments(typeof text === "string" ? text : "").map((document) => document.toJSON() as Json);
  return new providerMessages.InvokeResponse().setReturn(toStruct({ result: documents.filter(isObject) }));
}

function context(): ProviderContext {
  if (configured === undefined) throw new PluginError(status.FAILED_PRECONDITION, "The provider is not configured yet");
  return configured;
}

function fromStruct(struct: { toJavaScript(): object } | undefined): JsonObject {
  const value: unknown = struct?.toJavaScript() ?? {};
  return isObject(value) ? value : {};
}

function toStruct(value: JsonObject): Struct {
  return structMessages.Struct.fromJavaScript({ ...value });
}
