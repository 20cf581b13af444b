import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { jobOfCronJob } from '#coordination/effects/job-manifest.ts'
import type { WorkloadBaseline } from '../baseline/baseline.ts'
import { actionSentence, outcomeSentence } from '../sentences.ts'
import type { ReloadSettings } from '../settings.ts'
import type { SourceState } from '../sources/source-state.ts'
import { settingsFor, source, workloadObject, workload as workloadWith } from '../testdata/workloads.ts'
import { afterRollout, freshGuard } from './rate-guard.ts'
import type { WorkloadFacts } from './workload-facts.ts'
import { type PlanInput, planWorkload } from './workload-plan.ts'

const auto = { 'reloader.stakater.com/auto': 'true' }
const variable = 'STAKATER_APP_CONFIG_CONFIGMAP'
const before = source({ data: { key: 'value' } })
const after = source({ data: { key: 'value-2' }, resourceVersion: '2', changedAtMs: 1_000 })
const sha1After = '8a0e251f3cf965f6b2d11af19178fb20cbc6d403'
const atOnce = settingsFor({ debounce: '0s' })

const workload = (given: Parameters<typeof workloadWith>[0], settings = atOnce) => workloadWith(given, settings)

/** What is remembered once the workload has been looked at with these sources. */
function baselineWith(
  facts: WorkloadFacts,
  sources: readonly SourceState[],
  settings: ReloadSettings = atOnce,
): WorkloadBaseline {
  return planWorkload({ workload: facts, sources, baseline: undefined, guard: freshGuard, settings, nowMs: 0 }).baseline
}

type Given = Partial<Omit<PlanInput, 'workload'>> & { readonly known?: readonly SourceState[] }

/** The plan for `facts` after `known` became `sources`. */
function planOf(facts: WorkloadFacts, given: Given = {}) {
  const { known = [before], settings = atOnce, ...others } = given
  const baseline = baselineWith(facts, known, settings)
  return planWorkload({ workload: facts, sources: [after], baseline, guard: freshGuard, settings, nowMs: 1_000, ...others })
}

function codes(plan: ReturnType<typeof planWorkload>): readonly string[] {
  return plan.sources.map(({ code }) => code)
}

describe('what becomes of a change', () => {
  const facts = workload({ annotations: auto })

  test('S1 it is acted on, and remembered once that is done', () => {
    const plan = planOf(facts)
    expect(plan.action).toMatchObject({
      kind: 'act',
      way: 'patch',
      changes: { env: [{ container: 'app', name: variable, value: sha1After }] },
      removals: [],
      isRevoked: false,
      sources: [after.reference],
    })
    if (plan.action.kind !== 'act') throw new Error('it is not acted on')
    const again = planOf(facts, { baseline: plan.baseline })
    expect(again.action.kind).toBe('act')
    const patched = workload({
      annotations: auto,
      pod: {
        containers: [
          { name: 'app', env: [{ name: variable, value: sha1After }], envFrom: [{ configMapRef: { name: 'app-config' } }] },
        ],
      },
    })
    const done = planOf(patched, { baseline: plan.action.baseline })
    expect({ codes: codes(done), kind: done.action.kind, same: done.baseline === plan.action.baseline }).toEqual({
      codes: ['unchanged'],
      kind: 'none',
      same: true,
    })
  })

  test('S2 killed after the patch and before it was remembered: no second one', () => {
    const patched = workload({
      annotations: auto,
      pod: {
        containers: [
          { name: 'app', env: [{ name: variable, value: sha1After }], envFrom: [{ configMapRef: { name: 'app-config' } }] },
        ],
      },
    })
    const plan = planOf(patched, { baseline: baselineWith(facts, [before]) })
    expect({ codes: codes(plan), kind: plan.action.kind }).toEqual({ codes: ['already-written'], kind: 'record-only' })
    expect(planOf(patched, { baseline: plan.baseline }).action.kind).toBe('none')
  })

  test('killed after the patch, and the source went back to what it was: the pods have the other content', () => {
    const patched = workload({
      annotations: auto,
      pod: {
        containers: [
          { name: 'app', env: [{ name: variable, value: sha1After }], envFrom: [{ configMapRef: { name: 'app-config' } }] },
        ],
      },
    })
    const back = { ...before, changedAtMs: 2_000, resourceVersion: '3' }
    const plan = planOf(patched, { baseline: baselineWith(facts, [before]), sources: [back], nowMs: 2_000 })
    expect(plan.action).toMatchObject({ kind: 'act', way: 'patch' })
  })

  test('two sources with one variable do not take turns', () => {
    const names = ['my-config', 'my.config']
    const known = names.map(name => source({ name, data: { a: '1' } }))
    const now = names.map(name => source({ name, data: { a: name }, changedAtMs: 1_000 }))
    const envFrom = names.map(name => ({ configMapRef: { name } }))
    const uses = (env: readonly unknown[]) =>
      workload({ annotations: auto, pod: { containers: [{ name: 'app', env, envFrom }] } })
    const first = planOf(uses([]), { known, sources: now })
    if (first.action.kind !== 'act') throw new Error('it is not acted on')
    const env = first.action.changes.env ?? []
    expect(env).toHaveLength(1)
    expect(planOf(uses(env), { baseline: first.action.baseline, sources: now }).action.kind).toBe('none')
  })

  test.each(['evict', 'trigger-job', 'restart-at'])('a variable that %s leaves as it was reloads nothing', way => {
    const kind = way === 'trigger-job' ? 'CronJob' : way === 'restart-at' ? 'Rollout' : 'Deployment'
    const annotations = {
      ...auto,
      ...(way === 'evict' && { 'ballast.dev/reload-by': 'eviction' }),
      ...(way === 'restart-at' && { 'reloader.stakater.com/rollout-strategy': 'restart' }),
    }
    const stale = workload({
      kind,
      annotations,
      pod: {
        containers: [
          { name: 'app', env: [{ name: variable, value: '01234567' }], envFrom: [{ configMapRef: { name: 'app-config' } }] },
        ],
      },
    })
    const first = planOf(stale)
    if (first.action.kind !== 'act') throw new Error('it is not acted on')
    expect(first.action.way).toBe(way)
    expect(planOf(stale, { baseline: first.action.baseline }).action.kind).toBe('none')
  })

  test('S6 labels only: nothing', () => {
    expect(planOf(facts, { sources: [{ ...before, resourceVersion: '9', changedAtMs: 1_000 }] }).action.kind).toBe('none')
  })

  test('the first look remembers and does nothing', () => {
    const plan = planOf(facts, { baseline: undefined })
    expect({ codes: codes(plan), kind: plan.action.kind }).toEqual({ codes: ['first-seen'], kind: 'record-only' })
  })

  test('a workload of the same name that was made anew is looked at for the first time', () => {
    const anew = workload({ annotations: auto, uid: 'another' })
    expect(codes(planOf(anew, { baseline: baselineWith(facts, [before]) }))).toEqual(['first-seen'])
  })

  test('a source that the workload begins to use is remembered, not reloaded (kapp names a new one for each version)', () => {
    const next = source({ name: 'app-config-ver-2', data: { key: 'new' }, changedAtMs: 1_000 })
    const uses = workload({
      annotations: auto,
      pod: { containers: [{ name: 'app', envFrom: [{ configMapRef: { name: 'app-config-ver-2' } }] }] },
    })
    const plan = planOf(uses, { sources: [next], baseline: baselineWith(facts, [before]) })
    expect({ codes: codes(plan), kind: plan.action.kind }).toEqual({ codes: ['first-seen'], kind: 'record-only' })
  })

  test('S4 S5 deleted', () => {
    const absent = source({ data: 'absent', changedAtMs: 1_000 })
    const having = workload({
      annotations: auto,
      pod: {
        containers: [
          { name: 'a' },
          {
            name: 'app',
            env: [
              { name: 'X', value: 'x' },
              { name: variable, value: 'old' },
            ],
            envFrom: [{ configMapRef: { name: 'app-config' } }],
          },
        ],
      },
    })
    expect(codes(planOf(having, { sources: [absent] }))).toEqual(['deleted'])
    const onDelete = settingsFor({ debounce: '0s', reloadOnDelete: true })
    expect(planOf(having, { sources: [absent], settings: onDelete }).action).toMatchObject({
      kind: 'act',
      changes: {},
      removals: [{ container: 'app', name: variable }],
    })
    expect(codes(planOf(facts, { sources: [absent], settings: onDelete }))).toEqual(['already-written'])
    const noted = settingsFor({ debounce: '0s', reloadOnDelete: true, reloadStrategy: 'annotations' })
    const { action } = planOf(facts, { sources: [absent], settings: noted })
    expect(action.kind === 'act' && action.changes.annotations?.['reloader.stakater.com/last-reloaded-from']).toContain(
      '"hash":"aae45badef99284e4dae01d6046154ea9d99532f"',
    )
  })

  test.each<[string, Readonly<Record<string, unknown>>, SourceState, SourceState, string, string]>([
    ['created', {}, source({ data: 'absent' }), after, 'created', 'record-only'],
    ['created, reloadOnCreate', { reloadOnCreate: true }, source({ data: 'absent' }), after, 'changed', 'act'],
    [
      'deleted and created between two looks',
      {},
      before,
      source({ uid: 'u2', data: { key: 'value-2' } }),
      'recreated',
      'record-only',
    ],
    [
      'the same, reloadOnCreate',
      { reloadOnCreate: true },
      before,
      source({ uid: 'u2', data: { key: 'value-2' } }),
      'changed',
      'act',
    ],
    [
      'a version of kapp, reloadOnCreate',
      { reloadOnCreate: true },
      source({ data: 'absent' }),
      source({ annotations: { 'kapp.k14s.io/versioned': '' } }),
      'versioned',
      'record-only',
    ],
  ])('%s', (_, section, known, now, code, kind) => {
    const settings = settingsFor({ debounce: '0s', ...section })
    const plan = planOf(facts, { settings, known: [known], sources: [now] })
    expect({ codes: codes(plan), kind: plan.action.kind }).toEqual({ codes: [code], kind })
  })

  test('mounts of a SecretProviderClass come and go with their pods: neither counts', () => {
    const settings = settingsFor({ debounce: '0s', reloadOnCreate: true, reloadOnDelete: true })
    const named = workload({ annotations: { 'secretproviderclass.reloader.stakater.com/reload': 'spc' } })
    const ofClass = (data: 'absent' | { v: string }) =>
      source({ type: 'secretproviderclass', name: 'spc', data, changedAtMs: 1_000 })
    const codeOf = (known: SourceState, now: SourceState) => codes(planOf(named, { settings, known: [known], sources: [now] }))
    expect(codeOf(ofClass('absent'), ofClass({ v: '1' }))).toEqual(['created'])
    expect(codeOf(ofClass({ v: '1' }), ofClass('absent'))).toEqual(['deleted'])
    expect(codeOf(ofClass({ v: '1' }), ofClass({ v: '2' }))).toEqual(['changed'])
  })

  test('syncAfterRestart: what the first list holds counts as created, unless it is written already', () => {
    const settings = settingsFor({ debounce: '0s', reloadOnCreate: true, syncAfterRestart: true })
    expect(codes(planOf(facts, { settings, baseline: undefined, isFirstList: true }))).toEqual(['changed'])
    expect(codes(planOf(facts, { settings, baseline: undefined }))).toEqual(['first-seen'])
    expect(
      codes(planOf(facts, { settings: settingsFor({ syncAfterRestart: true }), baseline: undefined, isFirstList: true })),
    ).toEqual(['first-seen'])
  })

  test('what is not read yet waits without holding others up', () => {
    const unread = source({ name: 's', type: 'secret', data: 'unread' })
    const plan = planOf(facts, { known: [before, source({ name: 's', type: 'secret' })], sources: [unread, after] })
    expect({ codes: codes(plan), kind: plan.action.kind }).toEqual({ codes: ['changed', 'unread'], kind: 'act' })
    expect(plan.baseline.marks.size).toBe(2)
  })

  test('what is selected no more is forgotten', () => {
    const unselected = workload({})
    const plan = planOf(unselected, { baseline: baselineWith(facts, [before]) })
    expect({ codes: codes(plan), marks: plan.baseline.marks.size }).toEqual({ codes: ['left-alone'], marks: 0 })
  })

  test('a collision is written so that it rolls out', () => {
    const known = source({ data: { a: '1;b=2' } })
    const now = source({ data: { a: '1', b: '2' }, changedAtMs: 1_000 })
    const sha1 = now.content === 'absent' || now.content === 'unread' ? '' : now.content.sha1
    const patched = workload({
      annotations: auto,
      pod: {
        containers: [
          { name: 'app', env: [{ name: variable, value: sha1 }], envFrom: [{ configMapRef: { name: 'app-config' } }] },
        ],
      },
    })
    const { action } = planOf(patched, { known: [known], sources: [now] })
    expect(action.kind === 'act' && action.changes.env).toEqual([{ container: 'app', name: variable, value: `${sha1}-1` }])
  })

  test('several sources are one change', () => {
    const known = [before, source({ type: 'secret', name: 's', data: { p: '1' } })]
    const now = [source({ type: 'secret', name: 's', data: { p: '2' }, changedAtMs: 900 }), after]
    const { action } = planOf(facts, { known, sources: now })
    expect(action.kind === 'act' && action.changes.env?.map(({ name }) => name)).toEqual([variable, 'STAKATER_S_SECRET'])
    expect(action.kind === 'act' && action.sources.map(({ type }) => type)).toEqual(['configmap', 'secret'])
  })

  test('P6 a key that the template does not use', () => {
    const uses = workload({
      annotations: { ...auto, 'ballast.dev/reload-keys': 'auto' },
      pod: {
        containers: [{ name: 'app', env: [{ name: 'X', valueFrom: { configMapKeyRef: { name: 'app-config', key: 'used' } } }] }],
      },
    })
    const known = source({ data: { used: '1', unused: '1' } })
    const codeOf = (data: Readonly<Record<string, string>>) =>
      codes(planOf(uses, { known: [known], sources: [source({ data, changedAtMs: 1_000 })] }))
    expect(codeOf({ used: '1', unused: '2' })).toEqual(['unused-keys'])
    expect(codeOf({ used: '2', unused: '1' })).toEqual(['changed'])
  })

  test('#992 the template was changed after the source: remembered without a second roll-out', () => {
    expect(codes(planOf(facts, { templateChangedAtMs: 1_001 }))).toEqual(['already-rolled'])
    expect(codes(planOf(facts, { templateChangedAtMs: 1_000 }))).toEqual(['changed'])
  })

  test('#992 with annotations the reload itself says when it was', () => {
    const noted = settingsFor({ debounce: '0s', reloadStrategy: 'annotations' })
    const at = (observedAt: number) =>
      workload({
        annotations: auto,
        templateAnnotations: {
          'reloader.stakater.com/last-reloaded-from': JSON.stringify({
            type: 'SECRET',
            name: 's',
            namespace: 'default',
            hash: 'x',
            observedAt,
          }),
        },
      })
    expect(codes(planOf(at(2), { settings: noted }))).toEqual(['already-rolled'])
    expect(codes(planOf(at(1), { settings: noted }))).toEqual(['changed'])
    expect(codes(planOf(at(2), {}))).toEqual(['changed'])
  })

  test('a workload on its way out is left alone', () => {
    const leaving = { ...facts, isBeingDeleted: true }
    expect(planOf(leaving).action.kind).toBe('none')
  })

  test('a revoked Secret makes it a matter of safety, which waits for nobody', () => {
    const revoked = source({ data: { key: 'value-2' }, annotations: { 'ballast.dev/revoked': 'leaked' }, changedAtMs: 1_000 })
    const windowed = workload({
      annotations: { ...auto, 'ballast.dev/reload-window': '0 2 * * *;1h', 'ballast.dev/reload-debounce': '1h' },
    })
    expect(planOf(windowed, { sources: [revoked] }).action).toMatchObject({ kind: 'act', isRevoked: true })
  })
})

describe('what it waits for', () => {
  const facts = workload({ annotations: auto })

  test('P2 further changes, at most so long', () => {
    const settings = settingsFor()
    const facts = workload({ annotations: auto }, settings)
    const first = planOf(facts, { settings })
    expect(first.action).toMatchObject({ kind: 'wait', why: 'debounce', untilMs: 3_000 })
    expect(first.pendingSinceMs).toBe(1_000)
    const moved = { ...after, changedAtMs: 30_000 }
    const later = planOf(facts, { settings, sources: [moved], nowMs: 30_000, pendingSinceMs: 1_000 })
    expect(later.action).toMatchObject({ kind: 'wait', untilMs: 31_000 })
    expect(planOf(facts, { settings, sources: [moved], nowMs: 31_000, pendingSinceMs: 1_000 }).action.kind).toBe('act')
    expect(planOf(facts, { settings, nowMs: 3_000 }).action.kind).toBe('act')
  })

  test('a change that was taken back while it waited is none', () => {
    const plan = planOf(facts, { sources: [{ ...before, changedAtMs: 2_000 }], pendingSinceMs: 1_000 })
    expect({ kind: plan.action.kind, pendingSinceMs: plan.pendingSinceMs }).toEqual({ kind: 'none', pendingSinceMs: undefined })
  })

  test('a debounce of its own', () => {
    const patient = workload({ annotations: { ...auto, 'ballast.dev/reload-debounce': '10s' } })
    expect(planOf(patient).action).toMatchObject({ kind: 'wait', untilMs: 11_000 })
  })

  test('P8 its window', () => {
    const windowed = workload({ annotations: { ...auto, 'ballast.dev/reload-window': '0 2 * * *;2h;UTC' } })
    const oneOClock = Date.UTC(2026, 0, 1, 1)
    const twoOClock = Date.UTC(2026, 0, 1, 2)
    expect(planOf(windowed, { nowMs: oneOClock }).action).toMatchObject({ kind: 'wait', why: 'window', untilMs: twoOClock })
    expect(planOf(windowed, { nowMs: twoOClock }).action.kind).toBe('act')
  })

  test('P3 its distance to the last roll-out, but not while it is paused', () => {
    const guard = afterRollout(freshGuard, 500, atOnce.guard)
    expect(planOf(facts, { guard }).action).toMatchObject({ kind: 'wait', why: 'rate-guard', untilMs: 10_500 })
    expect(planOf(facts, { guard, nowMs: 10_500 }).action.kind).toBe('act')
    expect(planOf(workload({ annotations: auto, spec: { paused: true } }), { guard }).action.kind).toBe('act')
  })

  test('the outcomes of waiting sources are kept until they are acted on', () => {
    const plan = planOf(workload({ annotations: auto }, settingsFor()), { settings: settingsFor() })
    expect(plan.baseline.marks).toEqual(baselineWith(facts, [before]).marks)
  })
})

describe('kinds', () => {
  const pausing = { ...auto, 'deployment.reloader.stakater.com/pause-period': '15s' }
  test.each<[string, Parameters<typeof workload>[0], Readonly<Record<string, unknown>>, unknown]>([
    ['a StatefulSet', { kind: 'StatefulSet' }, {}, { way: 'patch' }],
    ['a DaemonSet', { kind: 'DaemonSet' }, {}, { way: 'patch' }],
    ['S7 a CronJob', { kind: 'CronJob' }, {}, { way: 'trigger-job' }],
    [
      'P7 a CronJob that is to be patched',
      { kind: 'CronJob', annotations: { ...auto, 'ballast.dev/reload-cronjob': 'patch' } },
      {},
      { way: 'patch' },
    ],
    [
      'P7 one that is to be ignored',
      { kind: 'CronJob', annotations: { ...auto, 'ballast.dev/reload-cronjob': 'ignore' } },
      {},
      'kind-left-alone',
    ],
    ['P7 a suspended one', { kind: 'CronJob', spec: { suspend: true } }, {}, 'kind-left-alone'],
    [
      'P7 a suspended one that is to be patched',
      { kind: 'CronJob', spec: { suspend: true }, annotations: { ...auto, 'ballast.dev/reload-cronjob': 'patch' } },
      {},
      { way: 'patch' },
    ],
    [
      'a suspended one as upstream',
      { kind: 'CronJob', spec: { suspend: true } },
      { compat: { jobs: 'upstream' } },
      { way: 'trigger-job' },
    ],
    ['a Job', { kind: 'Job' }, {}, { way: 'replace-job' }],
    [
      'P7 a Job that is over',
      { kind: 'Job', status: { conditions: [{ type: 'Complete', status: 'True' }] } },
      {},
      'kind-left-alone',
    ],
    ['P7 a Job of a CronJob', { kind: 'Job', owner: 'CronJob' }, {}, 'kind-left-alone'],
    ['P7 a Job of somebody else', { kind: 'Job', owner: 'Workflow' }, {}, { way: 'replace-job' }],
    [
      'a Job that is over as upstream',
      { kind: 'Job', status: { conditions: [{ type: 'Failed', status: 'True' }] } },
      { compat: { jobs: 'upstream' } },
      { way: 'replace-job' },
    ],
    ['a Rollout', { kind: 'Rollout' }, {}, { way: 'patch' }],
    [
      'S8 a Rollout that is to be restarted',
      { kind: 'Rollout', annotations: { ...auto, 'reloader.stakater.com/rollout-strategy': 'restart' } },
      {},
      { way: 'restart-at', changes: {} },
    ],
    [
      'a strategy nobody knows',
      { kind: 'Rollout', annotations: { ...auto, 'reloader.stakater.com/rollout-strategy': 'x' } },
      {},
      { way: 'patch' },
    ],
    ['S9 a Deployment with a pause', { annotations: pausing }, {}, { way: 'pause-then-patch', pauseMs: 15_000 }],
    ['S9 while it is paused', { annotations: pausing, spec: { paused: true } }, {}, { way: 'patch', pauseMs: undefined }],
    ['a pause on another kind', { kind: 'DaemonSet', annotations: pausing }, {}, { way: 'patch', pauseMs: undefined }],
    [
      'P9 by eviction',
      { annotations: { ...auto, 'ballast.dev/reload-by': 'eviction' } },
      {},
      { way: 'evict', changes: {}, removals: [] },
    ],
    [
      'P9 a kind of somebody else',
      { kind: 'Service', apiVersion: 'serving.knative.dev/v1' },
      { customKinds: [{ group: 'serving.knative.dev', version: 'v1', kind: 'Service', resource: 'services' }] },
      { way: 'patch' },
    ],
    [
      'P9 one whose pods are evicted',
      { kind: 'NodeSet', apiVersion: 'slinky.slurm.net/v1alpha1' },
      {
        customKinds: [
          { group: 'slinky.slurm.net', version: 'v1alpha1', kind: 'NodeSet', resource: 'nodesets', reloadBy: 'eviction' },
        ],
      },
      { way: 'evict' },
    ],
  ])('%s', (_, given, section, expected) => {
    const settings = settingsFor({ debounce: '0s', ...section })
    const plan = planOf(workload({ annotations: auto, ...given }, settings), { settings })
    if (typeof expected === 'string')
      expect({ codes: codes(plan), kind: plan.action.kind }).toEqual({ codes: [expected], kind: 'record-only' })
    else expect(plan.action).toMatchObject({ kind: 'act', ...(expected as object) })
  })

  test('S7 the Job that comes of it: made by hand, owned by the CronJob, with the variable', () => {
    const given = { kind: 'CronJob', name: 'nightly', annotations: auto }
    const { action } = planOf(workload(given))
    if (action.kind !== 'act') throw new Error('it is not acted on')
    const made = jobOfCronJob(workloadObject(given), action.changes, 'nightly-1')
    expect(made).toMatchObject({
      ok: true,
      job: {
        kind: 'Job',
        metadata: {
          annotations: { 'cronjob.kubernetes.io/instantiate': 'manual' },
          ownerReferences: [
            { apiVersion: 'batch/v1', kind: 'CronJob', name: 'nightly', uid: 'uid-of-nightly', controller: true },
          ],
        },
        spec: { template: { spec: { containers: [{ name: 'app', env: [{ name: variable, value: sha1After }] }] } } },
      },
    })
  })

  test('the wish is the same for the same change, and another for the next', () => {
    const facts = workload({ annotations: auto })
    const wishOf = (state: SourceState) => {
      const { action } = planOf(facts, { sources: [state] })
      return action.kind === 'act' ? action.wish : undefined
    }
    expect(wishOf(after)).toBe(wishOf({ ...after, changedAtMs: 999 }))
    expect(wishOf(after)).not.toBe(wishOf({ ...after, resourceVersion: '3' }))
  })
})

// Changes, looks and acts in any order, against a plain memory of what the pods started with.
test('whatever happens, each content that stays is acted on exactly once, and none that the pods have', () => {
  const step = fc.oneof(
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('change' as const), value: fc.constantFrom('1', '2', '3') }) },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('look' as const), fails: fc.boolean() }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('restart' as const) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 40_000 }) }) },
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), fc.constantFrom('0s', '2s'), (steps, debounce) => {
      const settings = settingsFor({ debounce, rateGuard: { enabled: false } })
      let env: readonly { readonly name: string; readonly value: string }[] = []
      const facts = () =>
        workload(
          { annotations: auto, pod: { containers: [{ name: 'app', env, envFrom: [{ configMapRef: { name: 'app-config' } }] }] } },
          settings,
        )
      let now = source({ data: { key: '1' } }, settings)
      let [nowMs, version, rolled] = [10_000, 1, '1']
      let baseline: WorkloadBaseline | undefined = baselineWith(facts(), [now], settings)
      let pendingSinceMs: number | undefined
      const look = (fails: boolean) => {
        const plan = planWorkload({
          workload: facts(),
          sources: [now],
          baseline,
          guard: freshGuard,
          settings,
          nowMs,
          ...(pendingSinceMs !== undefined && { pendingSinceMs }),
        })
        baseline = plan.baseline
        pendingSinceMs = plan.pendingSinceMs
        if (plan.action.kind !== 'act') return plan.action.kind
        const value = plan.action.changes.env?.[0]?.value ?? ''
        const held = now.content === 'unread' || now.content === 'absent' ? '' : (now.content.sha1 ?? '')
        expect(value).toBe(held)
        expect(env.some(one => one.value === value)).toBe(false)
        env = [{ name: variable, value }]
        rolled = value
        // Killed before it was remembered: the template says it.
        if (!fails) baseline = plan.action.baseline
        return 'act'
      }
      let shown = '1'
      for (const one of steps) {
        nowMs += 10
        if (one.kind === 'change' && one.value !== shown) {
          shown = one.value
          now = source({ data: { key: shown }, changedAtMs: nowMs, resourceVersion: String(++version) }, settings)
        } else if (one.kind === 'look') look(one.fails)
        else if (one.kind === 'restart') pendingSinceMs = undefined
        else if (one.kind === 'wait') nowMs += one.ms
      }
      nowMs += 100_000
      look(false)
      expect(look(false)).toBe('none')
      const held = now.content === 'unread' || now.content === 'absent' ? '' : now.content.sha1
      // Pods that never were rolled have the first content still.
      expect(rolled === '1' ? shown : rolled).toBe(rolled === '1' ? '1' : held)
    }),
    { numRuns: 500 },
  )
})

test('each outcome and action has a sentence that names what it is about', () => {
  const facts = workload({ annotations: auto })
  const plan = planOf(facts)
  expect(plan.sources.map(outcomeSentence)).toEqual([
    'ConfigMap default/app-config changed, and the workload takes it: an annotation asks for reloads on anything that it uses.',
  ])
  expect(actionSentence(facts, plan.action)).toBe(
    'Deployment default/web: its pod template is changed, because ConfigMap default/app-config changed.',
  )
  const patient = workload({ annotations: auto }, settingsFor())
  expect(actionSentence(patient, planOf(patient, { settings: settingsFor() }).action)).toBe(
    'Deployment default/web waits until 1970-01-01T00:00:03Z for further changes for ConfigMap default/app-config.',
  )
})

test('10,000 workloads are planned in well under a second', () => {
  const all = Array.from({ length: 10_000 }, (_, index) => workload({ name: `w${index}`, annotations: auto }))
  const baselines = all.map(facts => baselineWith(facts, [before]))
  const started = process.cpuUsage()
  let acts = 0
  for (const [index, facts] of all.entries()) {
    const plan = planWorkload({
      workload: facts,
      sources: [after],
      baseline: baselines[index],
      guard: freshGuard,
      settings: atOnce,
      nowMs: 1_000,
    })
    if (plan.action.kind === 'act') acts++
  }
  const spentMs = process.cpuUsage(started).user / 1_000
  expect(acts).toBe(10_000)
  expect(spentMs).toBeLessThan(3_000)
})

describe('a change under a workload that nobody knew of', () => {
  const facts = workload({ annotations: auto })
  const overtaken = (event: 'create' | 'update') => new Map([['configmap/default/app-config', event]])

  // biome-ignore format: a table
  test.each([
    ['nothing is known of it', {}, {}, 'record-only', 'first-seen'],
    ['it changed', { overtaken: overtaken('update') }, {}, 'act', 'changed'],
    ['it changed, and is gone', { overtaken: overtaken('update'), sources: [source({ data: 'absent' })] }, {}, 'record-only', 'first-seen'],
    ['it was created', { overtaken: overtaken('create') }, {}, 'record-only', 'first-seen'],
    ['it was created, and that counts', { overtaken: overtaken('create') }, { reloadOnCreate: true }, 'act', 'changed'],
  ] as const)('%s', (_, given, config, action, code) => {
    const settings = settingsFor({ debounce: '0s', ...config })
    const plan = planOf(facts, { baseline: undefined, settings, ...given })
    expect([plan.action.kind, ...codes(plan)]).toEqual([action, code])
  })

  test('what was acted on is not acted on again', () => {
    const known = baselineWith(facts, [after])
    expect(planOf(facts, { baseline: known, overtaken: overtaken('update') }).action.kind).toBe('none')
  })

  test('what the template says already is not written again', () => {
    const env = [{ name: variable, value: sha1After }]
    const containers = [{ name: 'app', env, envFrom: [{ configMapRef: { name: 'app-config' } }] }]
    const written = workload({ annotations: auto, pod: { containers } })
    const plan = planOf(written, { baseline: undefined, overtaken: overtaken('update') })
    expect([plan.action.kind, ...codes(plan)]).toEqual(['record-only', 'already-written'])
  })
})
