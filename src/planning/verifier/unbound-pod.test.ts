// What a held landing leaves in a pod, as the planner and the verifier each see through it.
import { expect, test } from 'vitest'
import { withoutBond } from '#cluster/scheduling/landing-bond.ts'
import type { KubeObject, NodeSelectorTerm, Pod } from '#kube/objects/objects.ts'
import { unboundPod } from './unbound-pod.ts'

const field = (...values: readonly string[]) => ({ key: 'metadata.name', operator: 'In', values })
const ssd = { key: 'disk', operator: 'In', values: ['ssd'] }
const bond: NodeSelectorTerm = { matchFields: [field('a')] }
const preferred = { preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 1, preference: { matchExpressions: [ssd] } }] }

const affinityOf = (terms: readonly NodeSelectorTerm[], more: object = {}) =>
  terms.length === 0 && Object.keys(more).length === 0
    ? {}
    : {
        affinity: {
          nodeAffinity: {
            ...more,
            ...(terms.length === 0 ? {} : { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: terms } }),
          },
        },
      }

interface Row {
  readonly pod: readonly NodeSelectorTerm[]
  readonly template?: readonly NodeSelectorTerm[]
  readonly more?: object
  readonly kind?: string
  readonly isUnknown?: boolean
  readonly left: readonly NodeSelectorTerm[]
}

// biome-ignore format: a table
const rows: readonly (readonly [what: string, row: Row])[] = [
  ['the bond alone goes',                                    { pod: [bond], left: [] }],
  ['the bond goes and the pod\'s own terms stay',            { pod: [{ matchExpressions: [ssd], ...bond }], template: [{ matchExpressions: [ssd] }], left: [{ matchExpressions: [ssd] }] }],
  ['preferences stay',                                       { pod: [bond], more: preferred, left: [] }],
  ['another node\'s name stays',                             { pod: [{ matchFields: [field('b')] }], left: [{ matchFields: [field('b')] }] }],
  ['several names stay',                                     { pod: [{ matchFields: [field('a', 'b')] }], left: [{ matchFields: [field('a', 'b')] }] }],
  ['a name in one of two terms stays',                       { pod: [bond, { matchExpressions: [ssd] }], left: [bond, { matchExpressions: [ssd] }] }],
  ['a name that the template has stays',                     { pod: [bond], template: [bond], left: [bond] }],
  ['what a DaemonSet wrote stays',                           { pod: [bond], kind: 'DaemonSet', left: [bond] }],
  ['without its workload nothing is known, and all stays',   { pod: [bond], isUnknown: true, left: [bond] }],
]

test.each(rows)('%s', (_, { pod: terms, template = [], more = {}, kind = 'Deployment', isUnknown = false, left }) => {
  const pod: Pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'web', namespace: 'shop' },
    spec: { nodeName: 'a', containers: [], ...affinityOf(terms, more) },
  }
  const spec = { template: { spec: { containers: [], ...affinityOf(template, more) } } }
  const workload: KubeObject = { apiVersion: 'apps/v1', kind, metadata: { name: 'web', namespace: 'shop' }, spec }
  for (const see of [withoutBond, unboundPod]) {
    const { affinity } = see(pod, isUnknown ? undefined : workload).spec
    const { requiredDuringSchedulingIgnoredDuringExecution: required, ...others } = affinity?.nodeAffinity ?? {}
    expect([see.name, required?.nodeSelectorTerms ?? [], others]).toEqual([see.name, left, more])
  }
})
