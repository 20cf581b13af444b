// Upstream's Events (events.k8s.io/v1, no trace in a dry run): one for each eviction, and with `evictionFailureEventNotification` one for
// each that failed. The reason is the name of the strategy, since no strategy of v0.36 gives another.
import { fieldsIn, textIn } from '#cluster/loose-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import type { TheirAttempt } from './their-attempt.ts'

/** `reportingController` of upstream's Events. */
export const theirController = 'sigs.k8s.io.descheduler'

/** What an Event says of an attempt; `undefined`: it is none of the descheduler's. */
export function attemptOf(event: KubeObject): TheirAttempt | undefined {
  if (textIn(event, 'reportingController') !== theirController || textIn(event, 'action') !== 'Descheduled') return undefined
  const regarding = fieldsIn(event, 'regarding')
  const name = textIn(regarding, 'name')
  if (name === undefined || textIn(regarding, 'kind') !== 'Pod') return undefined
  const pod = `${textIn(regarding, 'namespace') ?? event.metadata.namespace ?? 'default'}/${name}`
  const uid = textIn(regarding, 'uid')
  const [, node, failure] =
    /^pod eviction from (\S*) node by \S+?(?: failed: ([\s\S]*))?$/.exec(textIn(event, 'note') ?? '') ?? []
  const said = { pod, ...(uid !== undefined && { uid }), ...(node ? { node } : {}) }
  const reason = textIn(event, 'reason')
  if (textIn(event, 'type') === 'Warning') return { ...said, failure: failure ?? 'the eviction failed' }
  return { ...said, ...(reason !== undefined && reason !== 'NotSet' && { strategy: reason }) }
}
