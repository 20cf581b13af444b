// Fields of a pod that the strategies and the default evictor read beyond those of the cluster's model; informers keep no other fields.
import { podFields } from '#cluster/pod-fields.ts'

const statusLists = ['containerStatuses', 'initContainerStatuses', 'ephemeralContainerStatuses']
const ofContainers = ['restartCount', 'state.waiting.reason', 'state.terminated.reason', 'state.terminated.exitCode']

/** When each condition changed: no two pods have the same times, and with them no conditions in common, a kilobyte a pod. */
export const conditionTimes = 'status.conditions.lastTransitionTime'

/** Paths as FieldPaths has them. */
export const strategyPodFields: readonly string[] = [
  ...podFields,
  'status.qosClass',
  'status.reason',
  conditionTimes,
  ...statusLists.flatMap(list => ofContainers.map(field => `status.${list}.${field}`)),
]
