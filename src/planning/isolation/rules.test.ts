import { afterAll, describe, expect, test } from 'vitest'
import { buildClusterState } from '#cluster/cluster-state.ts'
import { defaultSettings } from '#cluster/scheduler-settings.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { defaultCoreNamespaces, type IsolationRules, type PartialPolicy, policyWithDefaults } from '../goals/policy.ts'
import { makePlan } from '../plan.ts'
import { explanationLines, reasonText } from '../sentences.ts'
import { solveInChild } from '../solving/solve.ts'
import { boundVolume, claimVolume, namespace, node, workload } from '../testdata/objects.ts'
import { referenceCluster } from '../testdata/reference-cluster.ts'
import { withTaint } from './rules.ts'

const settings = defaultSettings('1.34')
const session = solveInChild.session()
afterAll(() => session[Symbol.dispose]())

const rules: IsolationRules = {
  nodes: ['n1'],
  taint: 'node-role.kubernetes.io/control-plane',
  coreNamespaces: ['kube-system'],
  exceptions: [],
  keda: 'waitForZero',
  includeUnmanaged: true,
}

/** The plan as preflight makes it: the taint is reckoned with before it is there. */
async function isolate(
  objects: readonly KubeObject[],
  isolation: Partial<IsolationRules>,
  given: Omit<PartialPolicy, 'name'> = {},
) {
  const { state, problems } = buildClusterState(objects)
  expect(problems).toEqual([])
  const whole = { ...rules, ...isolation }
  const policy = policyWithDefaults({ name: 'p', objective: 'moves', isolation: whole, ...given })
  const input = { state: withTaint(state, whole), policy, settings, nowMs: 0 }
  return makePlan(input, session.solve, new AbortController().signal)
}

const nodes = ['n1', 'n2', 'n3'].map(name => node(name))
const names = (plan: Awaited<ReturnType<typeof isolate>>) => plan.moves.map(move => move.workload.name)

describe('which pods leave', () => {
  const one = (key: string, options: Parameters<typeof workload>[1] = { on: ['n1'] }) => [...nodes, ...workload(key, options)]
  // biome-ignore format: a table
  test.each<[string, readonly KubeObject[], Partial<IsolationRules>, readonly string[], readonly string[]]>([
    ['what has an owner and a budget',   one('shop/web', { on: ['n1', 'n1'], owner: 'descheduler', budget: { maxUnavailable: 1 } }), {}, ['web', 'web'], []],
    ['no budget is demanded',            one('shop/web', { on: ['n1'], owner: 'descheduler' }), {}, ['web'], []],
    ['what is labelled none',            one('shop/web', { on: ['n1'], owner: 'none' }), {}, ['web'], []],
    ['what has no label',                one('shop/web'), {}, ['web'], []],
    ['not what is unmanaged, if asked',  one('shop/web', { on: ['n1'], owner: 'none' }), { includeUnmanaged: false }, [], ['OwnerNone']],
    ['not what is unlabelled, if asked', one('shop/web'), { includeUnmanaged: false }, [], ['Unlabelled']],
    ['not core',                         one('kube-system/dns'), {}, [], ['Core']],
    ['not an excepted workload',         one('shop/web'), { exceptions: ['shop/web'] }, [], ['Excepted']],
    ['not an excepted kind and name',    one('shop/web'), { exceptions: ['shop/Deployment/web'] }, [], ['Excepted']],
    ['what another exception names',     one('shop/web'), { exceptions: ['shop/StatefulSet/web'] }, ['web'], []],
    ['KEDA at its next zero',            one('shop/web', { on: ['n1'], owner: 'keda' }), {}, [], ['KedaNotAtZero']],
    ['KEDA at once, if asked',           one('shop/web', { on: ['n1'], owner: 'keda' }), { keda: 'evict' }, ['web'], []],
    ['not a DaemonSet',                  one('shop/agent', { on: ['n1'], kind: 'DaemonSet' }), {}, [], ['DaemonSet']],
    ['not what a budget never allows',   one('shop/web', { on: ['n1'], budget: { minAvailable: 1 } }), {}, [], ['PDBNeverAllows']],
    ['nothing of other nodes',           one('shop/web', { on: ['n2'] }), {}, [], []],
  ])('%s', async (_name, objects, isolation, moved, stays) => {
    const plan = await isolate(objects, isolation)
    expect(names(plan)).toEqual(moved)
    expect(plan.unmovable.map(each => each.code)).toEqual(stays)
    expect(plan.outcome).toBe('met')
  })

  test('not what its volume keeps: named by the volume (case 20)', async () => {
    const local = workload('shop/data', { kind: 'StatefulSet', on: ['n1'], spec: claimVolume('data') })
    const plan = await isolate([...nodes, ...local, ...boundVolume('shop', 'data', { volume: 'pv-1', pinnedTo: 'n1' })], {})
    expect(plan.moves).toEqual([])
    expect(plan.unmovable.map(each => reasonText(each))).toEqual(['VolumePinned:pv-1'])
  })

  test('scope and limits speak of balance', async () => {
    const plan = await isolate(
      one('shop/web', { on: ['n1', 'n1'] }),
      {},
      {
        scope: { namespaces: { exclude: ['shop'] } },
        limits: { perPlan: 1 },
      },
    )
    expect(names(plan)).toEqual(['web', 'web'])
  })
})

describe('in which order', () => {
  test('replicated with a budget, single, StatefulSets one by one, none, KEDA', async () => {
    const plan = await isolate(
      [
        ...nodes,
        namespace('shop'),
        ...workload('shop/keda', { on: ['n1'], owner: 'keda' }),
        ...workload('shop/none', { on: ['n1'], owner: 'none' }),
        ...workload('shop/set-a', { kind: 'StatefulSet', on: ['n1'], owner: 'descheduler' }),
        ...workload('shop/set-b', { kind: 'StatefulSet', on: ['n1'], owner: 'descheduler' }),
        ...workload('shop/solo', { on: ['n1'], owner: 'descheduler', budget: { maxUnavailable: 1 } }),
        ...workload('shop/web', { on: ['n1', 'n1'], owner: 'descheduler', budget: { maxUnavailable: 1 } }),
      ],
      { keda: 'evict' },
      { landing: 'hold' },
    )
    expect(plan.moves.map(move => `${move.wave} ${move.workload.name} ${move.action}`)).toEqual([
      '1 web evict',
      '2 web evict',
      '3 solo surge',
      '4 set-a evict',
      '5 set-b evict',
      '6 none surge',
      '7 keda surge',
    ])
  })
})

describe('what is refused', () => {
  const cordoned = (names: readonly string[]) =>
    referenceCluster().map(
      (object): KubeObject =>
        object.kind === 'Node' && names.includes(object.metadata.name) ? { ...object, spec: { unschedulable: true } } : object,
    )
  const homelab = { nodes: ['talos00'], keda: 'evict', coreNamespaces: defaultCoreNamespaces } as const

  test('with talos02-gpu cordoned talos03 takes everything', async () => {
    const plan = await isolate(cordoned(['talos02-gpu']), homelab)
    expect([plan.outcome, plan.moves.length]).toEqual(['met', 23])
    expect(new Set(plan.moves.map(move => move.to))).toContain('talos03')
  })

  test('with talos03 cordoned too the memory of talos01 is named, and nothing moves', async () => {
    const plan = await isolate(cordoned(['talos02-gpu', 'talos03']), homelab)
    expect([plan.outcome, plan.moves.length]).toEqual(['infeasible', 0])
    expect(plan.isolation?.left).toHaveLength(23)
    expect(plan.explanation?.certainty).toBe('proven')
    expect(explanationLines(plan).join('\n')).toContain('memory: 8624Mi must find room, 0Mi is left (talos01 0Mi)')
  })

  test('a pod that is too big for each node is named', async () => {
    const filled = workload('shop/filler', { on: ['n2', 'n3'], cpu: 3000, owner: 'none' })
    const big = workload('shop/big', { on: ['n1'], cpu: 2000 })
    const roomy = [node('n1', { cpu: 4000 }), node('n2', { cpu: 4000 }), node('n3', { cpu: 4000 }), node('n4', { cpu: 1900 })]
    const plan = await isolate([...roomy, ...filled, ...big], {})
    expect(plan.outcome).toBe('infeasible')
    expect(explanationLines(plan).join('\n')).toContain('cpu: 2000m')
  })

  test('a soft goal out of reach keeps nobody from leaving', async () => {
    const goal = { name: 'full', nodes: ['n2'], resource: 'cpu', stat: 'requests', margin: 1, hard: false, min: 80 } as const
    const plan = await isolate([...nodes, ...workload('shop/web', { on: ['n1'] })], {}, { goals: [goal] })
    expect(plan.isolation?.left).toEqual([])
    expect(names(plan)).toEqual(['web'])
    expect(plan.goals[0]?.state).toBe('missed')
  })
})
