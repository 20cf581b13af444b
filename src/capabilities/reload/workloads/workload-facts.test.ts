import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { KubeObject } from '#kube/objects/objects.ts'
import { matcherOf } from '../sources/matcher.ts'
import { settingsFor, source, workload, workloadObject } from '../testdata/workloads.ts'
import { freshGuard } from './rate-guard.ts'
import { workloadFacts, workloadKey } from './workload-facts.ts'
import { planWorkload } from './workload-plan.ts'

const settings = settingsFor({
  customKinds: [{ group: 'x.dev', version: 'v1', kind: 'Set', resource: 'sets', podTemplatePath: 'spec.deep.pods' }],
})

describe('where the pod template is', () => {
  test.each<[string, string, string, readonly string[]]>([
    ['apps/v1', 'Deployment', 'a Deployment', ['spec', 'template']],
    ['batch/v1', 'CronJob', 'a CronJob', ['spec', 'jobTemplate', 'spec', 'template']],
    ['x.dev/v1', 'Set', 'a kind of the configuration', ['spec', 'deep', 'pods']],
    ['y.dev/v1', 'Set', 'a kind of that name in another group', ['spec', 'template']],
    ['y.dev/v1', 'CronJob', "somebody else's CronJob", ['spec', 'template']],
  ])('%s %s: %s', (apiVersion, kind, _, path) => {
    expect(workloadFacts({ ...workloadObject({}), apiVersion, kind }, settings).templatePath).toEqual(path)
  })

  test('what is there is read', () => {
    const template = { metadata: { annotations: { a: 'b' } }, spec: { containers: [{ name: 'c' }] } }
    const object = {
      apiVersion: 'x.dev/v1',
      kind: 'Set',
      metadata: { name: 's', namespace: 'n' },
      spec: { deep: { pods: template } },
    }
    const facts = workloadFacts(object, settings)
    expect(facts.templateAnnotations).toEqual({ a: 'b' })
    expect(facts.pod.containers.map(({ name }) => name)).toEqual(['c'])
    expect(workloadKey(facts)).toBe('Set/n/s')
  })
})

describe('what annotations say of when and how', () => {
  test.each<[string, string, unknown]>([
    ['ballast.dev/reload-debounce', '1m', { debounceMs: 60_000 }],
    ['ballast.dev/reload-debounce', '0', { debounceMs: 0 }],
    ['ballast.dev/reload-debounce', '-1s', 'expected a duration from 0s to 8784h'],
    ['ballast.dev/reload-debounce', 'long', 'expected a duration such as "1h30m" or "500ms"'],
    ['ballast.dev/reload-window', 'daily', 'expected CRON;DURATION;ZONE, such as "0 4 * * *;2h;Europe/Berlin"'],
    ['ballast.dev/reload-keys', 'auto', { keys: 'used' }],
    ['ballast.dev/reload-keys', 'a,b', 'expected one of auto, all'],
    ['ballast.dev/reload-cronjob', 'patch', { cronJob: 'patch' }],
    ['ballast.dev/reload-cronjob', 'never', 'expected one of trigger, patch, ignore'],
    ['ballast.dev/reload-by', 'eviction', { reloadBy: 'evict' }],
    ['ballast.dev/reload-by', 'magic', 'expected one of template, eviction'],
  ])('%s: %s', (key, value, expected) => {
    const { wishes, problems } = workload({ annotations: { [key]: value } })
    if (typeof expected === 'string') expect(problems).toEqual([{ key, value, why: expected }])
    else expect(wishes).toMatchObject({ ...(expected as object), problems: [] })
  })
})

test('no object stops the reading, the index or the plan', () => {
  const keys = [
    'metadata',
    'annotations',
    'spec',
    'template',
    'jobTemplate',
    'containers',
    'env',
    'name',
    '__proto__',
    'ownerReferences',
    'status',
    'conditions',
    'suspend',
    'paused',
  ]
  const part = fc.object({
    key: fc.constantFrom(...keys),
    maxDepth: 5,
    values: [fc.string(), fc.constant(null), fc.boolean(), fc.integer()],
  })
  const all = settingsFor({ autoReloadAll: true, debounce: '0s' })
  fc.assert(
    fc.property(part, part, fc.constantFrom('Deployment', 'CronJob', 'Job', 'Rollout'), (spec, metadata, kind) => {
      const object: KubeObject = {
        ...spec,
        apiVersion: 'apps/v1',
        kind,
        metadata: { ...metadata, name: 'n', namespace: 'default' },
        spec,
      }
      const facts = workloadFacts(object, all)
      matcherOf(facts)
      const plan = planWorkload({
        workload: facts,
        sources: [source()],
        baseline: undefined,
        guard: freshGuard,
        settings: all,
        nowMs: 0,
      })
      expect(plan.sources).toHaveLength(1)
    }),
    { numRuns: 500 },
  )
})

test('annotations that are no texts are not there', () => {
  const object = JSON.parse(
    '{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"n","annotations":{"reloader.stakater.com/auto":true,"a":"b"}}}',
  )
  const facts = workloadFacts(object, settings)
  expect(facts.annotations).toEqual({ a: 'b' })
  expect(facts.selection.configmap.auto).toBe('no')
})
