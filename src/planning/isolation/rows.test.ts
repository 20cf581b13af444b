import { describe, expect, test } from 'vitest'
import { buildClusterState } from '#cluster/cluster-state.ts'
import { defaultSettings } from '#cluster/scheduler-settings.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { type IsolationRules, policyWithDefaults } from '../goals/policy.ts'
import { boundVolume, claimVolume, node, workload } from '../testdata/objects.ts'
import {
  foreignRows,
  preflightRows,
  type TriedRollout,
  taintRows,
  tolerationRows,
  undoLines,
  warningRows,
  webhookRows,
} from './rows.ts'
import { surveyIsolation } from './survey.ts'

const taint = 'node-role.kubernetes.io/control-plane'

function survey(objects: readonly KubeObject[], given: Partial<IsolationRules> = {}) {
  const { state, problems } = buildClusterState(objects)
  expect(problems).toEqual([])
  const isolation = {
    nodes: ['n1'],
    taint,
    coreNamespaces: ['kube-system'],
    exceptions: [],
    keda: 'waitForZero',
    includeUnmanaged: true,
  } as const
  const policy = policyWithDefaults({ name: 'p', isolation: { ...isolation, ...given } })
  return surveyIsolation({ state, policy, settings: defaultSettings('1.34'), nowMs: 0 })
}

const nodes = [node('n1'), node('n2')]
const tainted = [node('n1', { taints: [{ key: taint, effect: 'NoSchedule' }] }), node('n2')]
const reasons = (rows: readonly { readonly subject: string; readonly reason: string }[]) =>
  rows.map(({ subject, reason }) => `${subject} ${reason}`)

describe('nothing begins', () => {
  const pinnedTo = (name: string) => ({ nodeSelector: { 'kubernetes.io/hostname': name } })
  const local = [
    ...workload('shop/data', { kind: 'StatefulSet', on: ['n1'], spec: claimVolume('data') }),
    ...boundVolume('shop', 'data', { volume: 'pv-1', pinnedTo: 'n1' }),
  ]
  // biome-ignore format: a table
  test.each<[string, readonly KubeObject[], Partial<IsolationRules>, readonly string[]]>([
    ['where all is well',                     [...nodes, ...workload('shop/web', { on: ['n1'] })],                                    {}, []],
    ['with no node',                          nodes,                                                                                  { nodes: [] }, ['Node NoNode']],
    ['with no other node',                    [node('n1')],                                                                           {}, ['Node n1 NoOtherNode']],
    ['with the other node cordoned',          [node('n1'), node('n2', { unschedulable: true })],                                      {}, ['Node n1 NoOtherNode']],
    ['for a volume of the node (case 20)',    [...nodes, ...local],                                                                   {}, ['Pod shop/data-0 VolumePinned:pv-1']],
    ['not where it is excepted',              [...nodes, ...local],                                                                   { exceptions: ['shop/data'] }, []],
    ['for a node selector',                   [node('n1', { labels: { 'kubernetes.io/hostname': 'n1' } }), node('n2'), ...workload('shop/web', { on: ['n1'], spec: pinnedTo('n1') })], {}, ['Pod shop/web NodeAffinityPinned']],
    ['not for core that is pinned',           [...nodes, ...workload('kube-system/dns', { on: ['n1'], spec: pinnedTo('n1') })],       {}, []],
  ])('%s', (_name, objects, given, expected) => {
    const found = preflightRows(survey(objects, given), undefined)
    expect(reasons(found).map(row => row.replace(/(shop\/web)\S*/, '$1'))).toEqual(expected)
    expect(found.every(({ remedy }) => remedy !== undefined)).toBe(true)
  })
})

test('a toleration that is missing comes with its patch, also of workloads that run elsewhere', () => {
  const rows = tolerationRows(survey([...nodes, ...workload('kube-system/dns', { on: ['n2'] })]))
  expect(reasons(rows)).toEqual(['Deployment kube-system/dns TolerationMissing'])
  expect(rows[0]?.remedy).toContain('operator: Exists')
})

describe('tolerations by webhook', () => {
  const dns = [...nodes, ...workload('kube-system/dns', { on: ['n1'] })]
  const by = { tolerationsFrom: 'webhook' } as const
  const uid = survey(dns, by).core[0]?.object.metadata.uid ?? ''
  const tried: TriedRollout = { workload: uid, mark: '2026-01-01T00:00:00.000Z', isMarked: true, unreached: [] }

  test('a roll-out is all that is needed: no patch; the mode is warned of', () => {
    const seen = survey(dns, by)
    const [row, ...others] = tolerationRows(seen)
    expect([row?.subject, row?.reason, row?.remedy, others]).toEqual([
      'Deployment kube-system/dns',
      'TolerationMissing',
      undefined,
      [],
    ])
    expect(reasons(warningRows(seen))).toEqual(['Webhook tolerations.isolate.ballast.dev TolerationByWebhook'])
  })

  // biome-ignore format: a table
  test.each<[string, Partial<IsolationRules>, TriedRollout | undefined, boolean, readonly string[]]>([
    ['nothing was tried yet',                by, undefined,                                                   true,  []],
    ['the controller serves none',           by, undefined,                                                   false, ['Webhook tolerations.isolate.ballast.dev WebhookMissing']],
    ['none is needed',                       {}, undefined,                                                   false, []],
    ['a roll-out is under way',              by, tried,                                                       true,  []],
    ['its pods came without',                by, { ...tried, unreached: ['kube-system/dns-1'] },              true,  ['Deployment kube-system/dns WebhookUnreached']],
    ['they did, and it is marked no more',   by, { ...tried, isMarked: false, unreached: ['kube-system/x'] }, true,  ['Deployment kube-system/dns WebhookUnreached']],
    ['somebody took it back',                by, { ...tried, isMarked: false },                               true,  ['Deployment kube-system/dns RolloutUndone']],
    ['the workload is gone',                 by, { ...tried, workload: 'other', isMarked: false },            true,  []],
  ])('%s', (_name, given, rollout, isServed, expected) => {
    const rows = webhookRows(survey(dns, given), { isServed, tried: rollout })
    expect(reasons(rows)).toEqual(expected)
    expect(rows.every(({ remedy }) => remedy !== undefined)).toBe(true)
  })

  test('taken back, but its pods have it all the same: nothing is in the way', () => {
    const seen = survey([...nodes, ...workload('kube-system/dns', { on: ['n2'] })], by)
    expect(webhookRows(seen, { isServed: true, tried: { ...tried, isMarked: false } })).toEqual([])
  })
})

test('the taint counts by either hard effect', () => {
  expect(reasons(taintRows(survey(nodes)))).toEqual(['Node n1 TaintMissing'])
  expect(taintRows(survey(tainted))).toEqual([])
  expect(taintRows(survey([node('n1', { taints: [{ key: taint, effect: 'NoExecute' }] }), node('n2')]))).toEqual([])
  expect(taintRows(survey([node('n1', { taints: [{ key: taint, effect: 'PreferNoSchedule' }] }), node('n2')]))).toHaveLength(1)
})

test('what does not belong is named with why it is there; exceptions belong, and are warned of', () => {
  const seen = survey(
    [
      ...tainted,
      ...workload('shop/web', { on: ['n1'] }),
      ...workload('shop/keda', { on: ['n1'], owner: 'keda' }),
      ...workload('shop/kept', { on: ['n1'] }),
      ...workload('shop/agent', { kind: 'DaemonSet', on: ['n1'] }),
      ...workload('kube-system/dns', { on: ['n1'] }),
    ],
    { exceptions: ['shop/kept'] },
  )
  const short = (rows: Parameters<typeof reasons>[0]) => reasons(rows).map(row => row.replace(/-[a-z0-9]+-[a-z0-9]+ /, ' '))
  expect(short(foreignRows(seen)).map(row => row.replace(/^Pod shop\/(\w+)\S* /, '$1 '))).toEqual([
    'web Leaving',
    'keda KedaNotAtZero',
  ])
  const warnings = warningRows(seen)
  expect(warnings.map(({ reason }) => reason).toSorted()).toEqual(['DaemonSetWithoutToleration', 'Excepted', 'KedaNotAtZero'])
  expect(warnings[0]?.message).toBe('not core: its pod on n1 stays, and will not come back there after the next rollout')
})

test('the way back names the taint, and Talos where it keeps it', () => {
  const rules = { nodes: ['n1'], taint }
  expect(undoLines(rules, 'kubernetes')).toEqual([`kubectl taint nodes n1 ${taint}:NoSchedule-`])
  expect(undoLines(rules, 'external')).toHaveLength(2)
  expect(undoLines(rules, 'external')[0]).toContain('machine.nodeTaints')
})
