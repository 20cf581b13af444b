import { describe, expect, test } from 'vitest'
import { buildClusterState } from '#cluster/cluster-state.ts'
import type { RebalancePlan, RebalancePolicy } from '#coordination/api.ts'
import { readPolicy } from '#coordination/plans/plan-policy.ts'
import type { TemplatedWorkload } from '#planning/isolation/core-workloads.ts'
import type { IsolationSurvey } from '#planning/isolation/survey.ts'
import type { Unmovable } from '#planning/plan-record.ts'
import { node, workload } from '#planning/testdata/objects.ts'
import { retryOf, type SituationFacts, situationOf } from './situation.ts'

const nowMs = Date.UTC(2026, 0, 1)
const at = (ms: number) => new Date(nowMs + ms).toISOString()

function policy(isolation: object = {}, mode = 'Auto'): RebalancePolicy {
  const read = readPolicy({
    apiVersion: 'ballast.dev/v1alpha1',
    kind: 'RebalancePolicy',
    metadata: { name: 'p' },
    spec: { trigger: 'manual', mode, isolation: { enabled: true, ...isolation } },
  })
  if (!read.ok) throw new Error('the policy has a fault')
  return read.policy
}

const core = (isTolerant: boolean, isAvailable: boolean): TemplatedWorkload => ({
  kind: 'Deployment',
  namespace: 'argocd',
  name: 'argocd',
  object: { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'argocd' } },
  tolerations: [],
  isTolerant,
  isRollable: false,
  lackingPods: [],
  isAvailable,
  availability: isAvailable ? '1 of 1 available' : '0 of 1 available',
})

const stays = (code: Unmovable['code']): Unmovable => ({
  pod: { namespace: 'media', name: 'sonarr', uid: 'u' },
  node: 'n1',
  workload: undefined,
  code,
  data: {},
  also: [],
})

function plan(
  phase: NonNullable<RebalancePlan['status']>['phase'],
  more: { readonly approved?: boolean; readonly finishedAt?: string } = {},
): RebalancePlan {
  return {
    apiVersion: 'ballast.dev/v1alpha1',
    kind: 'RebalancePlan',
    metadata: { name: 'p-1' },
    spec: {
      policyRef: { name: 'p' },
      snapshotHash: 'sha256:0',
      attempt: 0,
      outcome: 'met',
      method: 'milp',
      purpose: 'isolate',
      landing: 'prefer',
      moves: [],
      approved: more.approved ?? true,
    },
    status: {
      ...(phase === undefined ? {} : { phase }),
      message: 'because',
      ...(more.finishedAt === undefined ? {} : { finishedAt: more.finishedAt }),
    },
  }
}

const { state } = buildClusterState([node('n1'), ...workload('shop/web', { on: ['n1'] })])
const leaving: IsolationSurvey['leaving'] = [...state.pods.values()].map(pod => ({
  pod,
  workload: pod.workload ?? { apiVersion: 'v1', kind: 'Pod', namespace: 'shop', name: 'web', uid: '' },
  from: 'n1',
  destinations: ['n2'],
}))

interface Given extends Partial<Omit<SituationFacts, 'survey'>> {
  readonly survey?: Partial<IsolationSurvey>
}

function facts({ survey, ...given }: Given): SituationFacts {
  const rules = {
    nodes: ['n1'],
    taint: 'node-role.kubernetes.io/control-plane',
    coreNamespaces: ['argocd'],
    exceptions: [],
    keda: 'waitForZero',
    includeUnmanaged: true,
  } as const
  const whole = {
    rules,
    untainted: [],
    otherNodes: ['n2'],
    core: [core(true, true)],
    intolerantDaemonSets: [],
    leaving: [],
    staying: [],
  }
  return {
    policy: policy(),
    survey: { ...whole, ...survey },
    paper: undefined,
    plans: [],
    robbed: [],
    hindered: [],
    taintedSinceMs: nowMs - 120_000,
    nowMs,
    ...given,
  }
}

const bare = { untainted: ['n1'] }
const ours = policy({ taintMode: 'kubernetes' })
const hindrance = { subject: 'Webhook x', reason: 'WebhookMissing', message: 'nobody answers' }
const keda = [stays('KedaNotAtZero')]

describe('the first stage that is not over', () => {
  // biome-ignore format: a table
  test.each<[string, Given, string]>([
    ['no other node',                            { survey: { otherNodes: [], leaving } },                                        'Preflight Blocked'],
    ['a pod that the taint would strand',        { survey: { staying: [stays('VolumePinned')], core: [core(false, true)] } },    'Preflight Blocked'],
    ['a toleration is missing',                  { survey: { core: [core(false, true)], ...bare } },                             'Tolerations Waiting'],
    ['it is ours to write',                      { survey: { core: [core(false, true)] }, policy: policy({ tolerations: 'apply' }) }, 'Tolerations Running'],
    ['its webhook is not served',                { survey: { core: [core(true, true)], leaving }, hindered: [hindrance] },       'Tolerations Blocked'],
    ['its webhook is lost afterwards',           { hindered: [hindrance] },                                                      'Tolerations Blocked'],
    ['a roll-out gives it',                      { survey: { core: [{ ...core(false, true), isRollable: true }] } },             'Tolerations Running'],
    ['a roll-out that gives it is under way',    { survey: { core: [{ ...core(false, false), isRollable: true }] } },            'Tolerations Running'],
    ['a core workload is not available',         { survey: { core: [core(true, false)], leaving } },                             'Tolerations Waiting'],
    ['core falls ill in the waves',              { survey: { core: [core(true, false)], leaving }, plans: [plan('Running')] },   'Tolerations Paused'],
    ['the taint is missing',                     { survey: { ...bare, leaving } },                                               'Taint Waiting'],
    ['it is ours to set',                        { survey: { ...bare, leaving }, policy: ours },                                 'Taint Running'],
    ['somebody took ours',                       { survey: { ...bare, leaving }, policy: ours, robbed: ['n1'] },                 'Taint Paused'],
    ['the taint is gone in the waves',           { survey: { ...bare, leaving }, plans: [plan('Running')] },                     'Taint Paused'],
    ['it is seen for the first time',            { survey: { leaving }, taintedSinceMs: undefined },                             'Taint Waiting'],
    ['it has not stayed long enough',            { survey: { leaving }, taintedSinceMs: nowMs - 119_999 },                       'Taint Waiting'],
    ['it came back in the waves',                { survey: { leaving }, taintedSinceMs: nowMs, plans: [plan('Paused')] },        'Taint Paused'],
    ['ours need not stay',                       { survey: { leaving }, taintedSinceMs: nowMs, policy: ours },                   'Waves Running'],
    ['pods are to leave',                        { survey: { leaving } },                                                        'Waves Running'],
    ['a plan waits for approval',                { survey: { leaving }, plans: [plan('Proposed', { approved: false })] },        'Waves Waiting'],
    ['a plan runs',                              { survey: { leaving }, plans: [plan('Running')] },                              'Waves Running'],
    ['a plan stands still',                      { survey: { leaving }, plans: [plan('Paused')] },                               'Waves Paused'],
    ['the last pod has left, its plan not over', { plans: [plan('Running')] },                                                   'Waves Running'],
    ['the last plan failed',                     { survey: { leaving }, plans: [plan('Failed', { finishedAt: at(-60_000) })] },  'Waves Paused'],
    ['a while ago',                              { survey: { leaving }, plans: [plan('Failed', { finishedAt: at(-900_000) })] }, 'Waves Running'],
    ['nothing is left',                          {},                                                                             'Verify Verified'],
    ['KEDA is not at zero',                      { survey: { staying: keda } },                                                  'Verify Watching'],
    ['core, DaemonSets, exceptions belong',      { survey: { staying: [stays('Core'), stays('DaemonSet'), stays('Excepted')] } }, 'Verify Verified'],
    ['core falls ill afterwards',                { survey: { core: [core(true, false)] } },                                      'Verify Watching'],
    ['a toleration is lost afterwards',          { survey: { core: [core(false, true)] } },                                      'Tolerations Waiting'],
    ['mode Report',                              { survey: { leaving, ...bare }, policy: policy({}, 'Report') },                 'Taint Reported'],
    ['mode Report, and it is done',              { policy: policy({}, 'Report') },                                               'Verify Verified'],
  ])('%s', (_name, given, expected) => {
    const { stage, phase, message } = situationOf(facts(given))
    expect(`${stage} ${phase}`).toBe(expected)
    expect(message).not.toBe('')
  })
})

test('what is said names who is meant', () => {
  expect(situationOf(facts({ survey: { core: [core(false, true)] } })).message).toContain('Deployment argocd/argocd')
  expect(situationOf(facts({ survey: { ...bare, leaving }, plans: [plan('Running')] })).message).toBe(
    'the taint was removed from n1: nothing more is evicted until it is back',
  )
  expect(situationOf(facts({ survey: { leaving }, taintedSinceMs: nowMs - 60_000 })).message).toContain(at(60_000))
  expect(situationOf(facts({ survey: { leaving }, plans: [plan('Proposed', { approved: false })] })).message).toContain(
    'kubectl patch rebalanceplan p-1',
  )
})

describe('when the next plan may be made', () => {
  const landed = { steps: [{ id: 'm01', state: 'Landed' }] } as const
  const over = (phase: 'Succeeded' | 'Incomplete' | 'Failed', minutesAgo: number, more = {}): RebalancePlan => {
    const made = plan(phase, { finishedAt: at(-60_000 * minutesAgo) })
    return { ...made, status: { ...made.status, ...more } }
  }
  // biome-ignore format: a table
  test.each<[string, readonly RebalancePlan[], number | undefined]>([
    ['at once where nothing was left',     [over('Succeeded', 0)],                                                      undefined],
    ['soon where pods were left',          [over('Incomplete', 0)],                                                     30],
    ['then twice as long',                 [over('Incomplete', 1), over('Incomplete', 0)],                              60],
    ['and so on, newest last or first',    [over('Incomplete', 0), over('Incomplete', 1), over('Incomplete', 3)],       120],
    ['anew where it moved something',      [over('Incomplete', 2), over('Incomplete', 1), over('Incomplete', 0, landed)], 30],
    ['anew after one that did',            [over('Incomplete', 2, landed), over('Incomplete', 1), over('Incomplete', 0)], 60],
    ['never longer than after a failure',  Array.from({ length: 12 }, (_, at) => over('Incomplete', at)),               900],
    ['late after a failure',               [over('Incomplete', 1), over('Failed', 0)],                                  900],
  ])('%s', (_name, plans, seconds) => {
    const retry = retryOf(plans, nowMs)
    expect(retry === undefined ? undefined : (retry.atMs - nowMs) / 1000).toBe(seconds)
  })
})
