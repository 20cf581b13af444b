import { expect, test } from 'vitest'
import { buildClusterState } from '#cluster/cluster-state.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { namespace, node, workload } from '../testdata/objects.ts'
import { domainRules } from './domain-rules.ts'

const zone = 'topology.kubernetes.io/zone'
const host = 'kubernetes.io/hostname'
const selector = (name: string) => ({ matchLabels: { 'app.kubernetes.io/name': name } })
const apart = (from: string, topologyKey = host, more: Readonly<Record<string, unknown>> = {}) => ({
  spec: {
    affinity: {
      podAntiAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: [{ labelSelector: selector(from), topologyKey, ...more }],
      },
    },
  },
})
const spread = (name: string, topologyKey: string, more: Readonly<Record<string, unknown>> = {}) => ({
  spec: {
    topologySpreadConstraints: [
      { maxSkew: 1, topologyKey, whenUnsatisfiable: 'DoNotSchedule', labelSelector: selector(name), ...more },
    ],
  },
})
const nodes = [
  node('a', { labels: { [zone]: 'x' } }),
  node('b', { labels: { [zone]: 'y' } }),
  node('c', { labels: { [zone]: 'y' } }),
  node('d'),
]

/** Rules in short, with the destinations each class is left; every workload named in `movable` is one class that may go to all nodes. */
function check(objects: readonly KubeObject[], movable: readonly string[]) {
  const { state, problems } = buildClusterState([namespace('shop'), namespace('other', { team: 'red' }), ...nodes, ...objects])
  expect(problems).toEqual([])
  const classes = movable.map(name => ({
    pods: [...state.pods.values()].filter(pod => pod.workload?.name === name),
    from: 0,
    destinations: [1, 2, 3],
  }))
  const { rules, destinations } = domainRules(state, classes)
  return {
    rules: rules.map(rule => {
      const others = rule.kind === 'apart' ? ` against ${rule.others.join()}` : ` ≤ ${rule.limit}`
      return `${rule.kind} ${rule.members.join()}${others}: ${rule.domains.map(domain => `${domain.value}=${domain.nodes.join('+')}${domain.fixed > 0 ? ` with ${domain.fixed}` : ''}`).join(' ')}`
    }),
    destinations,
  }
}

// biome-ignore format: a table
const cases: readonly (readonly [string, readonly KubeObject[], readonly string[], readonly string[], readonly (readonly number[])[]])[] = [
  ['replicas apart by host',                            workload('shop/web', { on: ['a', 'a'], ...apart('web') }), ['web'], ['at-most 0 ≤ 1: a=0 b=1 c=2 d=3'], [[1, 2, 3]]],
  ['replicas apart by zone; nodes without one are free', workload('shop/web', { on: ['a'], ...apart('web', zone) }), ['web'], ['at-most 0 ≤ 1: x=0 y=1+2'], [[1, 2, 3]]],
  ['away from a pod that cannot move',                  [...workload('shop/web', { on: ['a'], ...apart('db') }), ...workload('shop/db', { on: ['b'] })], ['web'], [], [[2, 3]]],
  ['a pod that cannot move keeps others away',          [...workload('shop/web', { on: ['a'] }), ...workload('shop/db', { on: ['b'], ...apart('web', zone) })], ['web'], [], [[3]]],
  ['two that may both move',                            [...workload('shop/web', { on: ['a'], ...apart('db') }), ...workload('shop/db', { on: ['b'] })], ['web', 'db'], ['apart 0 against 1: a=0 b=1 c=2 d=3'], [[1, 2, 3], [1, 2, 3]]],
  ['another namespace is not meant',                    [...workload('shop/web', { on: ['a'], ...apart('db') }), ...workload('other/db', { on: ['b'] })], ['web'], [], [[1, 2, 3]]],
  ['unless the term says so',                           [...workload('shop/web', { on: ['a'], ...apart('db', host, { namespaces: ['other'] }) }), ...workload('other/db', { on: ['b'] })], ['web'], [], [[2, 3]]],
  ['or selects it by labels',                           [...workload('shop/web', { on: ['a'], ...apart('db', host, { namespaceSelector: { matchLabels: { team: 'red' } } }) }), ...workload('other/db', { on: ['b'] })], ['web'], [], [[2, 3]]],
  ['a hard spread by zone',                             workload('shop/web', { on: ['a', 'a'], ...spread('web', zone) }), ['web'], ['skew 0 ≤ 1: x=0 y=1+2'], [[1, 2, 3]]],
  ['a spread that fewer domains than asked meet',       workload('shop/web', { on: ['a'], ...spread('web', zone, { minDomains: 3 }) }), ['web'], ['at-most 0 ≤ 1: x=0 y=1+2'], [[1, 2, 3]]],
  ['a spread counts pods that cannot move',             [...workload('shop/web', { on: ['a'], ...spread('web', zone, { labelSelector: {} }) }), ...workload('shop/db', { on: ['b', 'b'] })], ['web'], ['skew 0 ≤ 1: x=0 y=1+2 with 2'], [[1, 2, 3]]],
  ['a soft spread is no rule',                          workload('shop/web', { on: ['a'], ...spread('web', zone, { whenUnsatisfiable: 'ScheduleAnyway' }) }), ['web'], [], [[1, 2, 3]]],
]

test.each(cases)('%s', (_, objects, movable, rules, destinations) => {
  expect(check(objects, movable)).toEqual({ rules, destinations })
})
