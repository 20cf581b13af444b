// The descheduler as a process of ours, by its Deployment or CronJob and the ConfigMap that it mounts: what it may have to do.
import { parseDocument } from 'yaml'
import type { Right } from '#coordination/rbac.ts'
import { at, textAt } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { isOwnPart } from '#upstreams/recognition.ts'
import { readPolicy } from '../compat/policy/read-policy.ts'
import { deschedulerRules } from '../compat/rights.ts'
import { settingsOf, wordsOf } from '../swap/descheduler-told.ts'
import { policyText } from '../swap/descheduler-workload.ts'

export const isOwnDescheduler = (object: KubeObject): boolean => isOwnPart(object, 'descheduler')

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
