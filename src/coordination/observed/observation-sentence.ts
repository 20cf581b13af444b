// What others did, in words: ledger, `why`, events and answers of the arbiter say it alike.
import type { Observation } from './observation.ts'

/** `kubectl drain took pods of shop/Deployment/web from n2 at 2026-03-02T04:00:00.000Z (…evidence)`. */
export function observationSentence(observation: Observation): string {
  return `${deedOf(observation)} at ${new Date(observation.atMs).toISOString()} (${observation.evidence})`
}

function deedOf({ kind, workload, nodes, by, replicas }: Observation): string {
  const from = nodes.length === 0 ? '' : ` from ${nodes.join(', ')}`
  switch (kind) {
    case 'pod-lost':
      return `${by} took a pod of ${workload ?? 'no workload'}${nodes.length === 0 ? '' : ` on ${nodes.join(', ')}`}`
    case 'rollout':
      return `${by} rolled out ${workload ?? 'a workload'}`
    case 'scaled':
      return `${by} scaled ${workload ?? 'a workload'}${replicas === undefined ? '' : ` from ${replicas.from} to ${replicas.to}`}`
    case 'drain':
      return workload === undefined ? `${by} drained ${nodes.join(', ')}` : `${by} took pods of ${workload}${from}`
  }
}
