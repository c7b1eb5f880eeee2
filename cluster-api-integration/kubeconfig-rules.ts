// Which kubeconfigs of workload clusters are used: those that say everything themselves. Pure.
//
// Whoever may write Secrets in a Cluster's namespace writes this text, and we read it with our own rights: a command would run in our
// pod, and a path would send our own files, such as our token, to whatever server the text names.

import { parse } from "yaml";
import * as z from "zod";

const refused = (what: string): z.ZodOptional<z.ZodNever> => z.never({ error: `is refused: ${what}` }).optional();
const aPath = "a path would read a file of the integration; give the data itself";

const Kubeconfig = z.object({
  clusters: z
    .array(
      z.object({
        cluster: z.object({
          server: z.url({ protocol: /^https$/, error: "must be an https:// URL" }),
          "certificate-authority": refused(aPath),
          "insecure-skip-tls-verify": z.literal(false, { error: "is refused: the server could be anybody" }).optional(),
        }),
      }),
    )
    .min(1, "must name a cluster"),
  users: z
    .array(
      z.object({
        user: z.object({
          exec: refused("a command would run in the integration's pod"),
          "auth-provider": refused("a command would run in the integration's pod"),
          tokenFile: refused(aPath),
          "client-certificate": refused(aPath),
          "client-key": refused(aPath),
        }),
      }),
    )
    .min(1, "must name a user"),
});

/** Why a kubeconfig is not used; undefined when it is. */
export function kubeconfigProblem(text: string): string | undefined {
  let document: unknown;
  try {
    document = parse(text);
  } catch {
    // The parser's message quotes the text, which holds a private key.
    return "it is not YAML";
  }
  const parsed = Kubeconfig.safeParse(document);
  if (parsed.success) return undefined;
  return parsed.error.issues.map(({ path, message }) => `${path.map(String).join(".")} ${message}`.trim()).join("; ");
}
