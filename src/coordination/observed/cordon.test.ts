import { expect, test } from 'vitest'
import type { Node } from '#kube/objects/objects.ts'
import { cordonOf } from './cordon.ts'
import { at, node, noonMs, wrote } from './testdata/plain-cluster.ts'

const noonSeconds = String(noonMs / 1000)

// biome-ignore format: a table
test.each<[string, Node, string]>([
  ['a node that takes pods',                     node('n1'),                                                                                              'no'],
  ['kubectl cordon or drain',                    node('n1', { unschedulable: true }, [wrote('kubectl', ['unschedulable'], { seconds: -60 })]),            'cordon by kubectl drain since -60'],
  ['kured',                                      node('n1', { unschedulable: true }, [wrote('kured', ['unschedulable'])]),                               'cordon by kured since 0'],
  ['nobody signed',                              node('n1', { unschedulable: true }),                                                                     'cordon by somebody since never'],
  ['ours',                                       node('n1', { unschedulable: true }, [wrote('ballast-provision', ['unschedulable'])]),                   'our cordon'],
  ['cluster-autoscaler, time in the value',      node('n1', { taints: [{ key: 'ToBeDeletedByClusterAutoscaler', value: noonSeconds, effect: 'NoSchedule' }] }), 'removal by cluster-autoscaler since 0'],
  ['… a value that is no time',                  node('n1', { taints: [{ key: 'ToBeDeletedByClusterAutoscaler', value: '1e99', effect: 'NoSchedule' }] }), 'removal by cluster-autoscaler since never'],
  ['… only a candidate',                         node('n1', { taints: [{ key: 'DeletionCandidateOfClusterAutoscaler', effect: 'PreferNoSchedule' }] }),    'no'],
  ['Karpenter',                                  node('n1', { taints: [{ key: 'karpenter.sh/disrupted', effect: 'NoSchedule', timeAdded: at(-5) }] }),      'removal by Karpenter since -5'],
  ['Karpenter before v1, and cordoned',          node('n1', { unschedulable: true, taints: [{ key: 'karpenter.sh/disruption', value: 'disrupting', effect: 'NoSchedule' }] }, [wrote('karpenter', ['taints', 'unschedulable'])]), 'removal by Karpenter since 0'],
  ['our landing taint',                          node('n1', { taints: [{ key: 'ballast.dev/landing', effect: 'PreferNoSchedule' }] }),                    'no'],
  ['a label of Object.prototype as taint',       node('n1', { taints: [{ key: 'constructor', effect: 'NoSchedule' }] }),                                  'no'],
])('%s', (_name, given, expected) => {
  const cordon = cordonOf(given)
  const since = cordon?.sinceMs === undefined ? 'never' : String((cordon.sinceMs - noonMs) / 1000)
  const words = cordon === undefined ? 'no' : cordon.isOurs ? `our ${cordon.kind}` : `${cordon.kind} by ${cordon.by} since ${since}`
  expect(words).toBe(expected)
})
