// The command line of `kubectl clusternet`: its commands, their arguments and flags; each command is a file of its own.

import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { Command, CommanderError, Option } from "commander";
import { namespaces } from "#api/names.ts";
import { createClient, type Client } from "#kube/client.ts";
import { connectKubeconfig } from "#kube/connection.ts";
import { CAPACITY_TIMEOUT_DEFAULT } from "#scheduler/capacity-client.ts";
import { durationOption, type Environment } from "#std/options.ts";
import { packageVersion } from "#std/version.ts";
import { dryRun, explainLivePlacement } from "./explain-placement.ts";
import { explainValue } from "./explain-value.ts";
import { rebalance } from "./rebalance.ts";
import { Problem, problemText } from "./problem.ts";

export interface CliProcess {
  readonly env: Environment;
  readonly write: (text: string) => void;
  readonly complain: (text: string) => void;
}

/** A command asks a few questions; a parent that does not answer is said to. */
const COMMAND_MS_MAX = 60_000;

const EXIT_FAILED = 1;

/** Resolves to the exit code. */
export async function runCli(argv: readonly string[], cli: CliProcess): Promise<number> {
  const program = new Command("kubectl clusternet")
    .description("Asks a Clusternet parent about its fleet.")
    .version(packageVersion)
    .exitOverride()
    .configureOutput({ writeOut: cli.write, writeErr: cli.complain });
  const explain = program.command("explain").description("Says why something is as it is.");
  addExplainValue(explain, cli);
  addExplainPlacement(explain, cli);
  addSchedule(program, cli);
  addRebalance(program, cli);
  try {
    await program.parseAsync([...argv], { from: "user" });
    return 0;
  } catch (error) {
    // Help and version end this way too; commander has written what there is to say.
    if (error instanceof CommanderError) return error.exitCode;
    cli.complain(problemText(error));
    return EXIT_FAILED;
  }
}

interface ConnectionFlags {
  readonly kubeconfig?: string;
  readonly context?: string;
}

interface ExplainValueFlags extends ConnectionFlags {
  readonly feed?: string;
  readonly path?: string;
  readonly namespace: string;
  readonly output: "text" | "json";
  readonly all?: boolean;
  readonly reservedNamespace: string;
}

function addExplainValue(parent: Command, cli: CliProcess): void {
  const command = parent
    .command("value")
    .description(
      "Why a field has its value in one cluster: the template, and every override in the order in which it is applied.",
    )
    .argument("<subscription>", "name of the Subscription")
    .argument("<cluster>", "name of the ManagedCluster, or namespace/name")
    .option(
      "--feed <kind/name>",
      "which of its feeds, such as Deployment/web or Deployment/shop/web; not needed when there is one",
    )
    .option(
      "--path <pointer>",
      "which field, such as /spec/replicas; of a HelmChart /values/… or /chart/…; default: every change",
    )
    .option("--all", "also list the overrides of other feeds")
    .option("-n, --namespace <namespace>", "namespace of the Subscription", "default")
    .addOption(new Option("-o, --output <format>", "how to print").choices(["text", "json"]).default("text"))
    .option("--reserved-namespace <namespace>", "where the parent keeps its templates", namespaces.reserved)
    .action(async (subscription: string, cluster: string, flags: ExplainValueFlags) => {
      cli.write(
        await withParent(flags, cli, (client, signal) => explainValue(client, { ...flags, subscription, cluster }, signal)),
      );
    });
  addConnectionFlags(command);
}

interface PlacementFlags extends ConnectionFlags {
  readonly config?: string;
  readonly output: "text" | "json";
  readonly capacity: boolean;
  readonly capacityTimeout: string;
}

/** The words of the flags, as the commands take them. */
function placementFlags<T extends PlacementFlags>({ capacityTimeout, ...flags }: T): Omit<T, "capacityTimeout"> & Timeout {
  const parsed = durationOption(CAPACITY_TIMEOUT_DEFAULT).safeParse(capacityTimeout);
  if (!parsed.success) throw new Problem(`--capacity-timeout ${capacityTimeout} is no duration`, "Write one such as 5s or 500ms");
  return { ...flags, capacityTimeoutMs: parsed.data };
}

interface Timeout {
  readonly capacityTimeoutMs: number;
}

function addExplainPlacement(parent: Command, cli: CliProcess): void {
  const command = parent
    .command("placement")
    .description(
      "Why a Subscription is bound to these clusters and not to others: who said no, scores, replicas, what would change.",
    )
    .argument("<subscription>", "name of the Subscription")
    .argument("[cluster]", "only this cluster: name of the ManagedCluster, or namespace/name")
    .option("-n, --namespace <namespace>", "namespace of the Subscription", "default")
    .action(async (subscription: string, cluster: string | undefined, flags: PlacementFlags & { readonly namespace: string }) => {
      const question = { ...placementFlags(flags), subscription, ...(cluster === undefined ? {} : { cluster }) };
      cli.write(await withParent(flags, cli, (client, signal) => explainLivePlacement(client, question, signal)));
    });
  addPlacementFlags(command);
}

interface ScheduleFlags extends PlacementFlags {
  readonly filename: string;
  readonly clusters?: string;
  readonly dryRun?: boolean;
}

function addSchedule(parent: Command, cli: CliProcess): void {
  const command = parent
    .command("schedule")
    .description("With --dry-run: where a Subscription would be bound. Nothing is written; to schedule it, apply it.")
    .requiredOption("-f, --filename <file>", "YAML file of the Subscription; it may also hold its FeedInventory")
    .option("--dry-run", "only say what would be decided")
    .option(
      "--clusters <file>",
      "YAML file of ManagedClusters, instead of those of the parent; it may say what they could take (kind: Capacities)",
    )
    .action(async (flags: ScheduleFlags) => {
      if (flags.dryRun !== true)
        throw new Problem("Scheduling is the scheduler's work", "Add --dry-run, or apply the Subscription with kubectl");
      cli.write(await dryRun(placementFlags(flags), (question) => withParent(flags, cli, question)));
    });
  addPlacementFlags(command);
}

interface RebalanceCommandFlags extends PlacementFlags {
  readonly namespace: string;
  readonly all?: boolean;
  readonly ask?: boolean;
  readonly confirm?: string;
  readonly yes?: boolean;
}

function addRebalance(parent: Command, cli: CliProcess): void {
  const command = parent
    .command("rebalance")
    .description(
      "What of a Subscription would be placed better by now. It is only shown; the scheduler moves it when it is confirmed.",
    )
    .argument("[subscription]", "name of the Subscription")
    .option("-n, --namespace <namespace>", "namespace of the Subscription", "default")
    .option("--all", "every Subscription of the namespace")
    .option("--ask", "let the scheduler plan, which may ask every cluster for its capacity")
    .option("--confirm <hash>", "carry the plan with this hash out, if it is still the plan")
    .option("--yes", "confirm what is shown")
    .action(async (subscription: string | undefined, { all, ...flags }: RebalanceCommandFlags) => {
      if ((subscription === undefined) !== (all === true))
        throw new Problem("It is not clear what to rebalance", "Name a Subscription, or say --all");
      const { ask = false, yes = false, ...rest } = placementFlags(flags);
      const question = { ...rest, ask, yes, ...(subscription === undefined ? {} : { subscription }) };
      cli.write(await withParent(flags, cli, (client, signal) => rebalance(client, question, signal)));
    });
  addPlacementFlags(command);
}

function addPlacementFlags(command: Command): void {
  command
    .option("--config <file>", "the scheduler's configuration file; default: it runs the default plugins")
    .option("--no-capacity", "do not ask clusters what they could take (Dynamic dividing)")
    .option("--capacity-timeout <duration>", "how long they may take to answer, all together", CAPACITY_TIMEOUT_DEFAULT)
    .addOption(new Option("-o, --output <format>", "how to print").choices(["text", "json"]).default("text"));
  addConnectionFlags(command);
}

function addConnectionFlags(command: Command): void {
  command
    .option("--kubeconfig <file>", "the parent's kubeconfig; default: $KUBECONFIG, then ~/.kube/config")
    .option("--context <name>", "context of the kubeconfig; default: its current one");
}

async function withParent<T>(
  { kubeconfig, context }: ConnectionFlags,
  { env }: CliProcess,
  work: (client: Client, signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const path = kubeconfig ?? env["KUBECONFIG"] ?? join(env["HOME"] ?? homedir(), ".kube", "config");
  if (path.includes(delimiter)) {
    throw new Problem("KUBECONFIG names several files", "Name the parent's with --kubeconfig");
  }
  await using connection = await connectKubeconfig({ path, ...(context === undefined ? {} : { context }) });
  return await work(createClient(connection, { component: "kubectl-clusternet" }), AbortSignal.timeout(COMMAND_MS_MAX));
}
