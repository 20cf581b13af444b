// What of a pod the strategies and the default evictor read beyond what the model of the cluster does: informers keep no more of it.
import { podFields } from '#cluster/pod-fields.ts'

const statusLists = ['containerStatuses', 'initContainerStatuses', 'ephemeralContainerStatuses']
const ofContainers = ['restartCount', 'state.waiting.reason', 'state.terminated.reason', 'state.terminated.exitCode']

/** Paths as FieldPaths has them. */
export const strategyPodFields: readonly string[] = [
  ...podFields,
  'status.qosClass',
  'status.reason',
  'status.conditions.lastTransitionTime',
  ...statusLists.flatMap(list => ofContainers.map(field => `status.${list}.${field}`)),
]
