import { afterAll, describe, expect, test } from 'vitest'
import { buildClusterState } from '#cluster/cluster-state.ts'
import { defaultSettings } from '#cluster/scheduler-settings.ts'
import { systemClock } from '#kube/clock.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { type PartialPolicy, policyWithDefaults } from '../goals/policy.ts'
import { makePlan } from '../plan.ts'
import { namespace, node, type WorkloadOptions, workload } from '../testdata/objects.ts'
import { childSolver } from './solve.ts'
import { waiversOf } from './waivers.ts'

const settings = defaultSettings('1.34')
const { signal } = new AbortController()
const emptyDir = { volumes: [{ name: 'files', emptyDir: {} }] }
const budget = { maxUnavailable: 1 }
const free = { owner: 'descheduler', budget } as const

const solver = childSolver({ clock: systemClock, safetySeconds: 60 })
const session = solver.session?.()
const solve = session?.solve ?? solver
afterAll(() => session?.[Symbol.dispose]())

/** Two workloads of 1000m each on n1, which is to end below 30 %: both have to leave. */
async function waivers(a: Partial<WorkloadOptions>, b: Partial<WorkloadOptions>, change: Partial<PartialPolicy> = {}) {
  const of = (name: string, options: Partial<WorkloadOptions>): readonly KubeObject[] =>
    workload(`shop/${name}`, { on: ['n1'], cpu: 1000, strategy: { rollingUpdate: { maxUnavailable: 0 } }, ...options })
  const { state } = buildClusterState([namespace('shop'), node('n1'), node('n2'), ...of('a', a), ...of('b', b)])
  const goals = [{ name: 'light', nodes: ['n1'], resource: 'cpu', stat: 'requests', max: 20, margin: 0, hard: false }] as const
  const input = { state, policy: policyWithDefaults({ name: 'p', goals, objective: 'moves', ...change }), settings, nowMs: 0 }
  const plan = await makePlan(input, solve, signal)
  const found = await waiversOf(input, plan, solve, signal)
  return found.map(
    ({ codes, workloads, missing, moves }) => `${codes.join('+')} ${workloads.length}: ${missing.toFixed(0)} by ${moves}`,
  )
}

describe('what waivers would win', () => {
  // biome-ignore format: a table
  test.each<[string, Partial<WorkloadOptions>, Partial<WorkloadOptions>, Partial<PartialPolicy>, readonly string[]]>([
    ['nothing where the goals are met',            free,                           free,                               {}, []],
    ['one kind alone',                             { ...free },                    { owner: 'descheduler' },           {}, ['NoPDB 1: 0 by 2']],
    ['the label',                                  { ...free },                    { budget },                         {}, ['Unlabelled 1: 0 by 2']],
    ['a volume',                                   { ...free },                    { ...free, spec: emptyDir },        {}, ['LocalStorage 1: 0 by 2']],
    ['two that hold one pod: only both',           { ...free },                    { spec: emptyDir, budget },         {}, ['Unlabelled+LocalStorage 1: 0 by 2']],
    ['two that hold a pod each: some, then all',   { budget },                     { owner: 'descheduler' },           {}, ['Unlabelled+NoPDB 2: 0 by 2', 'Unlabelled 1: 5 by 1', 'NoPDB 1: 5 by 1']],
    ['what the policy leaves out',                 free,                           free,                               { scope: { namespaces: { exclude: ['shop'] } } }, ['NamespaceExcluded 2: 0 by 2']],
  ])('%s', async (_name, a, b, change, expected) => expect(await waivers(a, b, change)).toEqual(expected))
})
