// What others did without asking, as lines of an account.
import type { Observation, ObservationKind } from '../observed/observation.ts'
import type { Entry } from './entry.ts'

/** `evidence` is what in the cluster shows it. */
export function observedEntry(observation: Observation): Entry {
  const { kind, workload, nodes, evidence, replicas } = observation
  const subject = kind === 'drain' || workload === undefined ? nodes.map(node => `Node ${node}`).join(', ') : workload
  return {
    atMs: observation.atMs,
    who: observation.by,
    what: `${whatWords[kind]} ${subject}`,
    decision: 'Observed',
    outcome: 'done',
    sentence: [sentenceOf(kind, nodes, replicas), evidence].filter(part => part !== '').join(': '),
    because: [],
    reason: observedReasons[kind],
    data: { kind, nodes, ...(replicas === undefined ? {} : { replicas }) },
  }
}

const whatWords: Readonly<Record<ObservationKind, string>> = {
  'pod-lost': 'took a pod of',
  rollout: 'rolled out',
  scaled: 'scaled',
  drain: 'drained',
}

const observedReasons: Readonly<Record<ObservationKind, string>> = {
  'pod-lost': 'PodLost',
  rollout: 'RolledOut',
  scaled: 'Scaled',
  drain: 'Drained',
}

function sentenceOf(kind: ObservationKind, nodes: readonly string[], replicas: Observation['replicas']): string {
  switch (kind) {
    case 'pod-lost':
      return `counts as a replaced pod${nodes.length === 0 ? '' : ` on ${nodes.join(', ')}`}`
    case 'rollout':
      return 'its pods were replaced by a new template'
    case 'scaled':
      return replicas === undefined ? 'its replicas were written' : `from ${replicas.from} to ${replicas.to} replicas`
    case 'drain':
      return 'its pods were asked to leave'
  }
}

/** Reasons of events that say the same as an observation of each kind. */
export const sameAsObserved: Readonly<Record<ObservationKind, readonly string[]>> = {
  'pod-lost': [
    'Killing',
    'Evicted',
    'Preempted',
    'TaintManagerEviction',
    'EvictionByEvictionAPI',
    'DeletionByTaintManager',
    'SuccessfulDelete',
  ],
  rollout: ['ScalingReplicaSet', 'Killing', 'SuccessfulDelete'],
  scaled: [
    'ScalingReplicaSet',
    'SuccessfulRescale',
    'KEDAScaleTargetActivated',
    'KEDAScaleTargetDeactivated',
    'Killing',
    'SuccessfulDelete',
  ],
  drain: ['NodeNotSchedulable', 'Killing', 'Evicted', 'EvictionByEvictionAPI', 'SuccessfulDelete'],
}
