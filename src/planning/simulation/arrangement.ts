// How the pods of a cluster stand, whatever their names are: two clusters of one arrangement are one to a descheduler, but for ages.
import type { ClusterState } from '#cluster/cluster-state.ts'

/** Equal for clusters whose nodes have equally many pods of each workload. */
export function arrangementOf(state: ClusterState): string {
  const counts = new Map<string, number>()
  for (const pod of state.pods.values()) {
    if (pod.isFinished) continue
    const who = pod.workload === undefined ? pod.key : `${pod.workload.uid} ${pod.workload.name}`
    const line = `${pod.nodeName ?? ''} ${who}`
    counts.set(line, (counts.get(line) ?? 0) + 1)
  }
  return Array.from(counts, ([line, count]) => `${line} ${count}`)
    .sort()
    .join('\n')
}
