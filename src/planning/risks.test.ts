import { describe, expect, test } from 'vitest'
import { buildClusterState } from '#cluster/cluster-state.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import type { Move, MoveAction } from './plan-record.ts'
import { risksOf, riskWords } from './risks.ts'
import { boundVolume, node, workload } from './testdata/objects.ts'

const mounted = (volume: object, mountPath = '/data') => ({
  volumes: [{ name: 'files', ...volume }],
  containers: [{ name: 'main', image: 'i', resources: {}, volumeMounts: [{ name: 'files', mountPath }] }],
})
const claim = { volumes: [{ name: 'd', persistentVolumeClaim: { claimName: 'd' } }] }
const twice = ['n1', 'n2']
const budget = { maxUnavailable: 1 }

function risks(objects: readonly KubeObject[], action: MoveAction): readonly string[] {
  const { state } = buildClusterState([node('n1'), node('n2'), node('n3'), ...objects])
  const moves = [...state.pods.values()].slice(0, 1).flatMap(pod => {
    if (pod.workload === undefined) return []
    const { namespace, name, uid, workload: of } = pod
    const move: Pick<Move, 'pod' | 'workload' | 'action'> = { pod: { namespace, name, uid }, workload: of, action }
    return [move as Move]
  })
  return risksOf(state, moves, 0).map(risk => `${risk.grade} ${risk.code} ${risk.workloads.join()}`)
}

describe('the risks of a move', () => {
  // biome-ignore format: a table
  test.each<[string, readonly KubeObject[], MoveAction, readonly string[]]>([
    ['a replica of several under a budget',    workload('shop/web', { on: twice, budget }),                                            'evict', []],
    ['... without one',                        workload('shop/web', { on: twice }),                                                    'evict', ['low NoPDB shop/Deployment/web']],
    ['the only replica that surges',           workload('shop/web', { on: ['n1'] }),                                                   'surge', ['low OneReplica shop/Deployment/web']],
    ['... that is evicted',                    workload('shop/web', { on: ['n1'] }),                                                   'evict', ['medium ShortOutage shop/Deployment/web']],
    ['... with a volume of one node',          [...workload('shop/web', { on: ['n1'], spec: claim }), ...boundVolume('shop', 'd', { volume: 'pv' })], 'evict', ['high ShortOutage shop/Deployment/web']],
    ['files in an emptyDir',                   workload('shop/web', { on: twice, budget, spec: mounted({ emptyDir: {} }) }),           'evict', ['medium LocalStorage shop/Deployment/web']],
    ['... of a cache',                         workload('shop/web', { on: twice, budget, spec: mounted({ emptyDir: {} }, '/var/cache/x') }), 'evict', ['low LocalStorage shop/Deployment/web']],
    ['... in memory',                          workload('shop/web', { on: twice, budget, spec: mounted({ emptyDir: { medium: 'Memory' } }) }), 'evict', ['low LocalStorage shop/Deployment/web']],
    ['an ephemeral volume',                    workload('shop/web', { on: twice, budget, spec: mounted({ ephemeral: {} }) }),          'evict', ['medium LocalStorage shop/Deployment/web']],
    ['a folder that every node has',           workload('shop/web', { on: twice, budget, spec: mounted({ hostPath: { path: '/dev/dri' } }) }), 'evict', []],
  ])('%s', (_name, objects, action, expected) => expect(risks(objects, action)).toEqual(expected))

  test('those of one kind and grade are one, the gravest first, each with words', () => {
    const { state } = buildClusterState([node('n1'), ...['a', 'b'].flatMap(name => workload(`shop/${name}`, { on: ['n1'] }))])
    const moves = [...state.pods.values()].flatMap(({ namespace, name, uid, workload: of }, at) =>
      of === undefined ? [] : [{ pod: { namespace, name, uid }, workload: of, action: at === 0 ? 'surge' : 'evict' } as Move],
    )
    const found = risksOf(state, [...moves, ...moves], 0)
    expect(found.map(({ code, moves: count, workloads }) => [code, count, workloads])).toEqual([
      ['ShortOutage', 2, ['shop/Deployment/b']],
      ['OneReplica', 2, ['shop/Deployment/a']],
    ])
    for (const risk of found) expect(riskWords(risk)).toMatch(/\w/)
  })
})
