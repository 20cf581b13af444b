// What keeps pods of ours, or of workloads that are to be moved, from being made or evicted: budgets, quotas, pod security, priorities.

import { defaultOwnerLabel, ownerKeys } from '#cluster/ownership.ts'
import { at, listAt, numberAt, shown, templateOf, textAt } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { type ClusterFacts, ofKind } from './facts.ts'
import { type Finding, finding } from './finding.ts'

/** Pods of ours and of whoever is to be moved that cannot be evicted or made. */
export function checkAdmission(facts: ClusterFacts): readonly Finding[] {
  const workloads = ofKind(facts, 'Deployment', 'StatefulSet', 'DaemonSet').filter(isOfInterest)
  return [
    ...workloads.flatMap(workload => [...refused(workload), ...priorities(facts, workload)]),
    ...ofKind(facts, 'PodDisruptionBudget').flatMap(budget => blocking(budget, workloads)),
  ]
}

const { values: movers } = defaultOwnerLabel

function isOfInterest({ metadata }: KubeObject): boolean {
  const { labels = {} } = metadata
  return (
    labels['app.kubernetes.io/part-of'] === 'ballast' ||
    ownerKeys(defaultOwnerLabel).some(key => labels[key] === movers.descheduler)
  )
}

const refusals = [
  {
    id: 'psa-blocks',
    pattern: /violates PodSecurity/,
    fix: (namespace: string) =>
      `kubectl label namespace ${namespace} pod-security.kubernetes.io/enforce=baseline --overwrite   # or mend the pod's securityContext`,
  },
  {
    id: 'quota-blocks',
    pattern: /exceeded quota|insufficient quota|failed quota/,
    fix: (namespace: string) => `kubectl -n ${namespace} describe quota`,
  },
  {
    id: 'priority-blocks',
    pattern: /no PriorityClass with name/,
    fix: () => 'kubectl get priorityclasses; then make the one that is missing, or name another',
  },
] as const

function refused(workload: KubeObject): readonly Finding[] {
  const failing = listAt(workload, 'status', 'conditions').filter(
    condition => textAt(condition, 'type') === 'ReplicaFailure' && textAt(condition, 'status') === 'True',
  )
  return failing.flatMap(condition => {
    const message = textAt(condition, 'message') ?? ''
    return refusals
      .filter(({ pattern }) => pattern.test(message))
      .map(({ id, fix }) => finding(id, { object: shown(workload), message, fix: fix(workload.metadata.namespace ?? 'default') }))
  })
}

/** What the API server makes by itself. */
const standardClasses: readonly string[] = ['system-cluster-critical', 'system-node-critical']
/** From here on pods are critical to the cluster, and Ballast does not move them. */
const criticalPriority = 2_000_000_000

/** A class that is not there, or one whose pods are never moved. */
function priorities(facts: ClusterFacts, workload: KubeObject): readonly Finding[] {
  const name = textAt(templateOf(workload), 'spec', 'priorityClassName') ?? ''
  if (name === '' || facts.unread.some(({ kind }) => kind === 'priorityclasses.scheduling.k8s.io')) return []
  const found = ofKind(facts, 'PriorityClass').find(({ metadata }) => metadata.name === name)
  const { labels } = workload.metadata
  const movedBy = ownerKeys(defaultOwnerLabel).find(key => labels?.[key] === movers.descheduler)
  const isCritical = standardClasses.includes(name) || (numberAt(found, 'value') ?? 0) >= criticalPriority
  if (movedBy !== undefined && isCritical)
    return [
      finding('priority-blocks', {
        object: shown(workload),
        message: `is to be moved, but its priority class ${name} makes its pods critical: they are never moved`,
        fix: `name a lower class in its template, or label it ${movedBy}=none`,
      }),
    ]
  // A dump may have been made without classes.
  const isRead = ofKind(facts, 'PriorityClass').length > 0
  if (found !== undefined || standardClasses.includes(name) || !isRead) return []
  return [
    finding('priority-blocks', {
      object: shown(workload),
      message: `names priority class ${name}, which is not there: its next pod is refused`,
      fix: `kubectl create priorityclass ${name} --value=0, or name another`,
    }),
  ]
}

/** A budget that no state of its pods would satisfy, over pods that are to be moved. */
function blocking(budget: KubeObject, workloads: readonly KubeObject[]): readonly Finding[] {
  const { namespace, name } = budget.metadata
  const most = at(budget, 'spec', 'maxUnavailable')
  const least = at(budget, 'spec', 'minAvailable')
  const wanted = at(budget, 'spec', 'selector', 'matchLabels')
  const selected = workloads.find(
    workload =>
      workload.metadata.namespace === namespace &&
      typeof wanted === 'object' &&
      wanted !== null &&
      Object.entries(wanted).every(([label, value]) => at(workload, 'spec', 'template', 'metadata', 'labels', label) === value),
  )
  if (selected === undefined) return []
  const replicas = Number(at(selected, 'spec', 'replicas') ?? 1)
  const never =
    most === 0 || most === '0%'
      ? `maxUnavailable: ${most}`
      : least === '100%' || (typeof least === 'number' && least >= replicas && replicas > 0)
        ? `minAvailable: ${String(least)} of ${replicas}`
        : undefined
  if (never === undefined) return []
  return [
    finding('pdb-blocks', {
      object: shown(budget),
      message: `${never} allows no eviction of ${shown(selected)}, ever`,
      fix: `kubectl -n ${namespace ?? 'default'} patch pdb ${name} --type merge -p '{"spec":{"minAvailable":null,"maxUnavailable":1}}'`,
    }),
  ]
}
