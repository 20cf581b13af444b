// Counts in the status of workloads: none below zero, and none greater than what it is a part of.
import { type FieldError, invalid } from '#kube/objects/field-error.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { type Draft, fieldsAt, numberAt } from '../../../json-value.ts'

interface CountRules {
  readonly counts: readonly string[]
  /** Parts of `replicas`. */
  readonly parts?: readonly string[]
  /** How what is ready is called where more is available than that. */
  readonly ready?: string
  /** A count of collisions may not go back. */
  readonly collides?: true
}

const available = ['replicas', 'readyReplicas', 'availableReplicas', 'observedGeneration']

/** Kind → its counts. */
const rules: Readonly<Record<string, CountRules>> = {
  'daemonsets.apps': {
    counts: [
      ...['currentNumberScheduled', 'numberMisscheduled', 'desiredNumberScheduled', 'numberReady', 'observedGeneration'],
      ...['updatedNumberScheduled', 'numberAvailable', 'numberUnavailable', 'collisionCount'],
    ],
    collides: true,
  },
  'deployments.apps': {
    counts: [
      ...['observedGeneration', 'replicas', 'updatedReplicas', 'readyReplicas', 'availableReplicas'],
      ...['unavailableReplicas', 'terminatingReplicas', 'collisionCount'],
    ],
    parts: ['updatedReplicas', 'readyReplicas', 'availableReplicas'],
    ready: 'readyReplicas',
    collides: true,
  },
  'horizontalpodautoscalers.autoscaling': { counts: ['currentReplicas', 'desiredReplicas'] },
  'poddisruptionbudgets.policy': { counts: ['disruptionsAllowed', 'currentHealthy', 'desiredHealthy', 'expectedPods'] },
  'replicasets.apps': {
    counts: [...available, 'fullyLabeledReplicas', 'terminatingReplicas'],
    parts: ['fullyLabeledReplicas', 'readyReplicas', 'availableReplicas'],
    ready: 'readyReplicas',
  },
  replicationcontrollers: {
    counts: [...available, 'fullyLabeledReplicas'],
    parts: ['fullyLabeledReplicas', 'readyReplicas', 'availableReplicas'],
    ready: 'readyReplicas',
  },
  'statefulsets.apps': {
    counts: [...available, 'currentReplicas', 'updatedReplicas', 'collisionCount'],
    parts: ['readyReplicas', 'currentReplicas', 'updatedReplicas', 'availableReplicas'],
    ready: 'status.readyReplicas',
    collides: true,
  },
}

/** Everything that is wrong with the counts of a status that was written; nothing with kinds that have none. */
export function replicaCountProblems(key: string, draft: Draft, existing: KubeObject): readonly FieldError[] {
  const rule = Object.hasOwn(rules, key) ? rules[key] : undefined
  if (rule === undefined) return []
  const status = fieldsAt(draft, 'status') ?? {}
  const count = (name: string) => numberAt(status, name) ?? 0
  const wrong = (name: string, why: string) => invalid(`status.${name}`, count(name), why)
  const isBack = rule.collides === true && count('collisionCount') < (numberAt(existing, 'status', 'collisionCount') ?? 0)
  return [
    ...rule.counts.filter(name => count(name) < 0).map(name => wrong(name, 'must be greater than or equal to 0')),
    ...(rule.parts ?? [])
      .filter(name => count(name) > count('replicas'))
      .map(name => wrong(name, 'cannot be greater than status.replicas')),
    ...(rule.ready !== undefined && count('availableReplicas') > count('readyReplicas')
      ? [wrong('availableReplicas', `cannot be greater than ${rule.ready}`)]
      : []),
    ...(isBack ? [wrong('collisionCount', 'cannot be decremented')] : []),
  ]
}
