import { expect, test } from 'vitest'
import { problemSentence } from '#kube/problem.ts'
import { checkAgainst } from '#kube/schema/schema-problems.ts'
import { ignoredTypesOf, reloadConfiguration } from './config.ts'
import { settingsFor } from './testdata/workloads.ts'

function problemsOf(section: unknown): readonly string[] {
  const checked = checkAgainst(reloadConfiguration, section, 'capabilities.reload')
  return checked.ok ? [] : checked.problems.map(problemSentence)
}

test('an empty section is what upstream does without flags, and our guards', () => {
  expect(settingsFor()).toMatchObject({
    autoReloadAll: false,
    strategy: 'env-vars',
    reloadOnCreate: false,
    reloadOnDelete: false,
    debounceMs: 2_000,
    maxWaitMs: 30_000,
    guard: { isEnabled: true, minimumMs: 10_000, maximumMs: 1_800_000 },
    rotationWindowMs: 120_000,
  })
  expect(reloadConfiguration.parse({}).arbitration).toBe('observe')
})

test.each<[string, unknown, string]>([
  [
    'a strategy nobody knows',
    { reloadStrategy: 'rollout' },
    'capabilities.reload: reloadStrategy: found "rollout", expected one of "env-vars", "annotations"',
  ],
  ['both kinds ignored', { resourcesToIgnore: ['secrets', 'configmaps'] }, 'capabilities.reload: resourcesToIgnore: '],
  ['one kind ignored twice', { resourcesToIgnore: ['secrets', 'Secrets'] }, 'capabilities.reload: resourcesToIgnore: '],
  ['another kind ignored', { resourcesToIgnore: ['pods'] }, 'expected "configmaps" or "secrets"'],
  [
    'a workload type nobody knows',
    { ignoredWorkloadTypes: ['jobs', 'pods'] },
    'ignoredWorkloadTypes[1]: found "pods", expected "jobs" or "cronjobs"',
  ],
  ['a selector that does not parse', { namespaceSelector: 'k in (a' }, 'namespaceSelector: '],
  ['the same for objects', { resourceLabelSelector: '!!x' }, 'expected a label selector ('],
  ['a debounce that is no duration', { debounce: '2' }, 'expected a duration such as "1h30m"'],
  ['a negative one', { debounce: '-1s' }, 'expected a duration from 0s to 8784h'],
  [
    'a guard upside down',
    { rateGuard: { minimum: '1h', maximum: '1m' } },
    'rateGuard.maximum: found "1m", expected at least rateGuard.minimum',
  ],
  ['wave mode', { compat: { wave: true } }, 'compat.wave: found "true", expected false (wave mode is not built)'],
  ['a webhook that is no URL', { webhookUrl: 'ftp://x' }, 'expected an http or https URL, or nothing'],
  ['a sink nobody knows', { alerts: { sink: 'irc' } }, 'alerts.sink: '],
  [
    'a key that is none',
    { annotations: { auto: 'a b' } },
    'expected the key of an annotation such as "reloader.stakater.com/auto"',
  ],
  ['a namespace that is none', { namespaces: ['A'] }, 'namespaces[0]: found "A", expected the name of a namespace'],
  [
    'a custom kind without a group',
    { customKinds: [{ version: 'v1', kind: 'Service', resource: 'services' }] },
    'customKinds[0].group: ',
  ],
  [
    'a path that is none',
    { customKinds: [{ group: 'a.b', version: 'v1', kind: 'X', resource: 'xs', podTemplatePath: 'spec..t' }] },
    'expected a path such as "spec.template"',
  ],
  ['a key of the guard nobody knows', { rateGuard: { minimun: '1s' } }, 'did you mean "minimum"?'],
])('%s is refused', (_, section, sentence) => {
  expect(problemsOf(section).join('\n')).toContain(sentence)
})

test('all that is wrong is told at once', () => {
  expect(problemsOf({ reloadStrategy: 1, debounce: 'x', compat: { wave: true } })).toHaveLength(3)
})

test.each([['configMaps'], ['SECRETS']])('%s in any case', name => {
  expect(reloadConfiguration.parse({ resourcesToIgnore: [name] }).resourcesToIgnore).toEqual([name.toLowerCase()])
})

test('in lenient mode a bad entry voids the list', () => {
  const lenient = reloadConfiguration.parse({ ignoredWorkloadTypes: ['jobs', 'pods'], compat: { lenient: true } })
  expect(ignoredTypesOf(lenient)).toEqual([])
})

test('every field is described', () => {
  const undescribed = Object.entries(reloadConfiguration.shape).filter(([, schema]) => schema.description === undefined)
  expect(undescribed.map(([name]) => name)).toEqual([])
})
