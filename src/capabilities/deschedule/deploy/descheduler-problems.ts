// What is wrong with the values of the descheduler beyond their form: its policy is read as the program will read it.

import { goJson } from '#deployment/go-json.ts'
import { type Values, valueAt } from '#deployment/names.ts'
import type { Problem } from '#kube/problem.ts'
import { readPolicy } from '../compat/policy/read-policy.ts'

/** Any class may be there: only a cluster knows. */
const anyClass = () => 0

/** Problems of whole values; none where it is off, or where a policy has templates, which are filled in later. `where` names the values. */
export function deschedulerProblems(values: Values, where: string): readonly Problem[] {
  if (valueAt(values, 'descheduler.enabled') !== true) return []
  const continuous = continuousProblem(values, where)
  if (continuous !== undefined) return [continuous]
  const policy = goJson(valueAt(values, 'descheduler.policy'))
  if (policy.includes('{{')) return []
  const read = readPolicy(policy, { file: `${where}: descheduler.policy`, priorityOf: anyClass })
  if (!read.ok) return read.problems
  const secret = read.policy.prometheus?.tokenSecret
  const granted = valueAt(values, 'descheduler.tokenSecrets')
  const isGranted = (Array.isArray(granted) ? granted : []).some(
    (one: unknown) => valueAt({ one }, 'one.namespace') === secret?.namespace && valueAt({ one }, 'one.name') === secret?.name,
  )
  if (secret === undefined || isGranted) return []
  return [
    {
      code: 'values-policy',
      where: `${where}: descheduler.tokenSecrets`,
      found: JSON.stringify(granted),
      expected: `the Secret that the policy names for Prometheus: {"namespace":"${secret.namespace}","name":"${secret.name}"}`,
    },
  ]
}

/** The program refuses it, too: where coordination is enforced nothing moves pods all the time. */
function continuousProblem(values: Values, where: string): Problem | undefined {
  const windows = valueAt(values, 'arbiter.windows.deschedule')
  const isContinuous = valueAt(values, 'descheduler.kind') === 'Deployment' && !(Array.isArray(windows) && windows.length > 0)
  if (!isContinuous || valueAt(values, 'descheduler.coordination.enforce') !== true) return undefined
  return {
    code: 'schedule-continuous',
    where: `${where}: descheduler.kind`,
    found: 'Deployment without a window',
    expected: 'CronJob, or windows in arbiter.windows.deschedule, while coordination is enforced: the rule not-continuous',
  }
}
