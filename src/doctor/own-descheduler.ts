// The descheduler as a process of ours, by its Deployment or CronJob and the ConfigMap that it mounts: what it is told, and what it may have to do.
import { parseDocument } from 'yaml'
import { deschedulerRules, readPolicy } from '#capabilities/deschedule'
import type { Right } from '#coordination/rbac.ts'
import { at, listAt, templateOf, textAt } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { parseDeschedulerFlags } from '#process/drop-ins/descheduler-flags.ts'
import type { DeschedulerSettings } from '#process/drop-ins/descheduler-settings.ts'
import { policySource } from '#upstreams/descheduler-workload.ts'

export function isOwnDescheduler({ kind, metadata: { labels = {} } }: KubeObject): boolean {
  const isOurs = labels['app.kubernetes.io/part-of'] === 'ballast' && labels['app.kubernetes.io/component'] === 'descheduler'
  return isOurs && (kind === 'Deployment' || kind === 'CronJob')
}

/** Words of the container that evicts: what it is started with. */
export function wordsOf(workload: KubeObject): readonly string[] {
  const [container] = listAt(templateOf(workload), 'spec', 'containers')
  return listAt(container, 'args').map(String)
}

/** Settings of a command line with words of its own before the flags; `undefined` where it would not start by them. */
export function settingsOf(words: readonly string[]): DeschedulerSettings | undefined {
  const own = words.filter(word => word !== 'descheduler' && !word.startsWith('--config='))
  const read = parseDeschedulerFlags(own)
  return read.ok ? read.settings : undefined
}

/** The ConfigMap that a descheduler reads its policy from, ours or upstream's; `undefined`: from no ConfigMap. */
export function policyPlace(workload: KubeObject): { readonly namespace: string; readonly name: string } | undefined {
  const source = policySource({ ...workload })
  return source === undefined ? undefined : { namespace: workload.metadata.namespace ?? 'default', name: source.configMap }
}

/** The text of its policy, of the ConfigMap at `policyPlace`. */
export function policyText(workload: KubeObject, configMap: KubeObject | undefined): string | undefined {
  return textAt(configMap, 'data', policySource({ ...workload })?.key ?? '')
}

/** Any class may be there: only the process asks. */
const anyClass = () => 0

/**
 * What the account of ours needs for what the process is told; `undefined` where its flags are none that it starts with. What a policy that
 * it refuses would need is left out.
 */
export function neededRights(workload: KubeObject, configMap: KubeObject | undefined): readonly Right[] | undefined {
  const settings = settingsOf(wordsOf(workload))
  if (settings === undefined) return undefined
  const { dryRun, leaderElection } = settings
  const read = readPolicy(policyText(workload, configMap) ?? '', { file: 'policy.yaml', priorityOf: anyClass })
  const file = parseDocument(textAt(configMap, 'data', 'config.yaml') ?? '', { prettyErrors: false })
  const configuration: unknown = file.errors.length > 0 ? undefined : file.toJS({ maxAliasCount: 100 })
  return deschedulerRules({
    policy: read.ok ? read.policy : { kubernetesMetrics: false },
    dryRun,
    // The controller keeps the book of permits.
    permits: false,
    enforced: at(configuration, 'capabilities', 'deschedule', 'coordination', 'enforce') === true,
    ...(leaderElection === undefined ? {} : { leaderElection }),
  })
}

/** The account that its pods have. */
export const accountOf = (workload: KubeObject): string => textAt(templateOf(workload), 'spec', 'serviceAccountName') ?? 'default'
