import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { targetContainer } from '../rollouts/target-container.ts'
import { matcherOf } from '../sources/matcher.ts'
import type { SourceType } from '../sources/source-state.ts'
import { settingsFor, source, workload } from '../testdata/workloads.ts'
import { decideReload } from './decision.ts'

const auto = 'reloader.stakater.com/auto'
const search = 'reloader.stakater.com/search'
const match = 'reloader.stakater.com/match'
const ignore = 'reloader.stakater.com/ignore'
const reloadConfigmaps = 'configmap.reloader.stakater.com/reload'
const excludeConfigmaps = 'configmaps.exclude.reloader.stakater.com/reload'
const unrelated = { containers: [{ name: 'app' }, { name: 'proxy' }] }

interface Case {
  readonly settings?: Readonly<Record<string, unknown>>
  readonly kind?: string
  readonly W?: Readonly<Record<string, string>>
  readonly P?: Readonly<Record<string, string>>
  readonly pod?: Readonly<Record<string, unknown>>
  readonly type?: SourceType
  readonly name?: string
  readonly object?: Readonly<Record<string, string>>
  /** The container that takes the mark; `no`: no reload. */
  readonly expected: string
  readonly problems?: number
}

/** What upstream does with the change: its decision and the container that it finds. */
function outcomeOf(given: Case) {
  const settings = settingsFor(given.settings)
  const { kind = 'Deployment', W, P, pod, type = 'configmap', name = type === 'secret' ? 's' : 'app-config', object } = given
  const facts = workload(
    { kind, ...(W && { annotations: W }), ...(P && { templateAnnotations: P }), ...(pod && { pod }) },
    settings,
  )
  const changed = source({ type, name, ...(object && { annotations: object }) }, settings)
  const decision = decideReload(changed, facts, settings)
  const container = targetContainer(facts.pod, changed.reference, { mustUse: decision.auto })
  return { taken: decision.reload ? (container ?? 'no') : 'no', problems: facts.problems.length, decision }
}

describe("upstream's table", () => {
  test.each<[string, Case]>([
    ['D1 auto, referred to', { W: { [auto]: 'true' }, expected: 'app' }],
    ['D2 auto, not referred to', { W: { [auto]: 'true' }, pod: unrelated, expected: 'no' }],
    ['D3 named, not referred to', { W: { [reloadConfigmaps]: 'app-config' }, pod: unrelated, expected: 'app' }],
    ['D4 one of two patterns', { W: { [reloadConfigmaps]: 'other, app-.*' }, pod: unrelated, expected: 'app' }],
    [
      'D5 no group around an alternative: the end matches',
      { W: { [reloadConfigmaps]: 'foo|config' }, name: 'xx-config', pod: unrelated, expected: 'app' },
    ],
    [
      'D5 no group around an alternative: the beginning matches',
      { W: { [reloadConfigmaps]: 'foo|config' }, name: 'foo-xx', pod: unrelated, expected: 'app' },
    ],
    ['D6 a pattern that does not compile', { W: { [reloadConfigmaps]: 'app-config[' }, expected: 'no', problems: 1 }],
    ['D7 a good one beside a bad one', { W: { [reloadConfigmaps]: 'bad[,app-config' }, expected: 'app', problems: 1 }],
    ['D8 auto for Secrets', { W: { 'secret.reloader.stakater.com/auto': 'true' }, expected: 'no' }],
    ['D9 excluded', { W: { [auto]: 'true', [excludeConfigmaps]: 'a, app-config' }, expected: 'no' }],
    [
      'D9 exclusion wins over a name',
      { W: { [reloadConfigmaps]: 'app-config', [excludeConfigmaps]: 'app-config' }, expected: 'no' },
    ],
    ['D10 excluded on the template only', { W: { [auto]: 'true' }, P: { [excludeConfigmaps]: 'app-config' }, expected: 'app' }],
    [
      'D10 the same with compat.podTemplateExclude',
      {
        settings: { compat: { podTemplateExclude: true } },
        W: { [auto]: 'true' },
        P: { [excludeConfigmaps]: 'app-config' },
        expected: 'no',
      },
    ],
    ['D11 search and match', { W: { [search]: 'true' }, object: { [match]: 'true' }, expected: 'app' }],
    [
      'D11 search and match, not referred to',
      { W: { [search]: 'true' }, object: { [match]: 'true' }, pod: unrelated, expected: 'no' },
    ],
    ['D12 search without match', { W: { [search]: 'true' }, expected: 'no' }],
    ['D12 search that is not exactly true', { W: { [search]: 'True' }, object: { [match]: 'true' }, expected: 'no' }],
    ['D13 ignored by itself', { W: { [auto]: 'true' }, object: { [ignore]: 'true' }, expected: 'no' }],
    ['D13 ignored wins over a name', { W: { [reloadConfigmaps]: 'app-config' }, object: { [ignore]: 'true' }, expected: 'no' }],
    ['D13 ignored only by the exact text', { W: { [auto]: 'true' }, object: { [ignore]: 'True' }, expected: 'app' }],
    ['D14 autoReloadAll', { settings: { autoReloadAll: true }, expected: 'app' }],
    ['D15 autoReloadAll, auto=false', { settings: { autoReloadAll: true }, W: { [auto]: 'false' }, expected: 'no' }],
    ['D16 autoReloadAll, auto=yes', { settings: { autoReloadAll: true }, W: { [auto]: 'yes' }, expected: 'no' }],
    ['D16 autoReloadAll, auto empty', { settings: { autoReloadAll: true }, W: { [auto]: '' }, expected: 'app' }],
    ['D17 auto on the template', { P: { [auto]: 'true' }, expected: 'app' }],
    [
      'D18 another type falls back to the template',
      { W: { [reloadConfigmaps]: 'x' }, P: { [auto]: 'true' }, type: 'secret', expected: 'app' },
    ],
    ['D19 the same type does not', { W: { [reloadConfigmaps]: 'x' }, P: { [auto]: 'true' }, expected: 'no' }],
    ['D19 an empty key keeps the template away', { W: { [auto]: '' }, P: { [auto]: 'true' }, expected: 'no' }],
    ['D20 ignored Jobs', { settings: { autoReloadAll: true, ignoredWorkloadTypes: ['jobs'] }, kind: 'Job', expected: 'no' }],
    [
      'D20 CronJobs beside them',
      { settings: { autoReloadAll: true, ignoredWorkloadTypes: ['jobs'] }, kind: 'CronJob', expected: 'app' },
    ],
    [
      'D21 a bad entry voids the list in lenient mode',
      {
        settings: { autoReloadAll: true, ignoredWorkloadTypes: ['jobs', 'invalid'], compat: { lenient: true } },
        kind: 'Job',
        expected: 'app',
      },
    ],
    ['a renamed key', { settings: { annotations: { auto: 'a.b/c' } }, W: { 'a.b/c': 'true' }, expected: 'app' }],
    [
      'its standard name then says nothing',
      { settings: { annotations: { auto: 'a.b/c' } }, W: { [auto]: 'true' }, expected: 'no' },
    ],
    ['a dot in a name is any character', { W: { [reloadConfigmaps]: 'app.config' }, expected: 'app' }],
    ['case counts', { W: { [reloadConfigmaps]: 'App-config' }, expected: 'no' }],
    ['flags of RE2', { W: { [reloadConfigmaps]: '(?i)App-config' }, expected: 'app' }],
    ['an empty list', { W: { [reloadConfigmaps]: ' , ' }, expected: 'no' }],
    ['keys of prototypes are no annotations', { settings: { annotations: { auto: 'constructor' } }, expected: 'no' }],
  ])('%s', (_, given) => {
    const { taken, problems } = outcomeOf(given)
    expect({ taken, problems }).toEqual({ taken: given.expected, problems: given.problems ?? 0 })
  })

  test.each(['1', 't', 'T', 'TRUE', 'true', 'True'])('Go takes %s for true', text => {
    expect(outcomeOf({ W: { [auto]: text }, expected: 'app' }).taken).toBe('app')
  })

  test.each(['0', 'tRUE', 'yes', 'on', ' true', ''])('and %j for false', text => {
    expect(outcomeOf({ W: { [auto]: text }, expected: 'no' }).taken).toBe('no')
  })
})

describe('P10 objects of another namespace', () => {
  const allow = 'ballast.dev/reload-allow-namespaces'
  test.each([
    ['with its consent', 'shared/app-config', { [allow]: 'other, default' }, 'named'],
    ['with consent for all', 'shared/app-config', { [allow]: '*' }, 'named'],
    ['without', 'shared/app-config', {}, 'without-consent'],
    ['with consent for others', 'shared/app-config', { [allow]: 'defaults' }, 'without-consent'],
    ['that nobody names', 'app-config', { [allow]: '*' }, 'not-selected'],
    ['a pattern reaches no other namespace', '.*', { [allow]: '*' }, 'not-selected'],
    ['ignored by itself', 'shared/app-config', { [allow]: '*', [ignore]: 'true' }, 'source-ignored'],
  ])('%s', (_, list, annotations, code) => {
    const facts = workload({ annotations: { [reloadConfigmaps]: list, [auto]: 'true' } })
    expect(decideReload(source({ namespace: 'shared', annotations }), facts, settingsFor()).code).toBe(code)
  })

  test('its own namespace needs no consent', () => {
    const facts = workload({ annotations: { [reloadConfigmaps]: 'default/app-config' } })
    expect(decideReload(source(), facts, settingsFor())).toMatchObject({ reload: true, by: 'default/app-config' })
  })

  test('a pattern in such an entry is told', () => {
    expect(workload({ annotations: { [reloadConfigmaps]: 'shared/app-.*' } }).problems).toEqual([
      { key: reloadConfigmaps, value: 'shared/app-.*', why: 'expected namespace/name without a pattern' },
    ])
  })
})

// An independent reading of the table, in words of its own: rules as a list that is walked, RegExp on tame patterns only.
const someAnnotations = fc.dictionary(
  fc.constantFrom(
    auto,
    'configmap.reloader.stakater.com/auto',
    'secret.reloader.stakater.com/auto',
    search,
    reloadConfigmaps,
    excludeConfigmaps,
  ),
  fc.constantFrom('true', 'false', '', 'yes', '1', 'app-config', 'x,app-.*', 'foo|config', 's'),
  { maxKeys: 4 },
)

function modelled(given: Required<Pick<Case, 'W' | 'P' | 'object' | 'type' | 'name'>> & { readonly all: boolean }): string {
  const { W, P, object, type, name, all } = given
  const typed = (word: string) => `${type}.reloader.stakater.com/${word}`
  if (object[ignore] === 'true') return 'no'
  const source = [typed('reload'), search, auto, typed('auto')].some(key => key in W) ? W : P
  const excluded = (W[`${type}s.exclude.reloader.stakater.com/reload`] ?? '').split(',').map(part => part.trim())
  if (excluded.includes(name)) return 'no'
  for (const part of (source[typed('reload')] ?? '').split(',')) {
    if (new RegExp(`^${part.trim()}$`).test(name)) return 'named'
  }
  if (source[search] === 'true' && object[match] === 'true') return 'used'
  const texts = [source[auto] ?? '', source[typed('auto')] ?? '']
  if (texts.some(text => ['1', 'true'].includes(text))) return 'used'
  return all && texts.join('') === '' ? 'used' : 'no'
}

test('the decision is that of an independent model', () => {
  const seen = new Map<string, number>()
  fc.assert(
    fc.property(
      fc.record({
        W: someAnnotations,
        P: someAnnotations,
        object: fc.dictionary(fc.constantFrom(match, ignore), fc.constantFrom('true', 'false', '1'), { maxKeys: 2 }),
        type: fc.constantFrom<SourceType>('configmap', 'secret'),
        name: fc.constantFrom('app-config', 's', 'foo-x'),
        all: fc.boolean(),
      }),
      given => {
        const { decision } = outcomeOf({ ...given, settings: { autoReloadAll: given.all }, expected: '' })
        const said = decision.reload ? (decision.auto ? 'used' : 'named') : 'no'
        seen.set(said, (seen.get(said) ?? 0) + 1)
        expect(said).toBe(modelled(given))
      },
    ),
    { numRuns: 2_000 },
  )
  expect([...seen.keys()].toSorted()).toEqual(['named', 'no', 'used'])
})

test('what decides yes is found by the index that the matcher feeds', () => {
  fc.assert(
    fc.property(someAnnotations, someAnnotations, fc.boolean(), (annotations, templateAnnotations, all) => {
      const settings = settingsFor({ autoReloadAll: all })
      const facts = workload({ annotations, templateAnnotations }, settings)
      const matcher = matcherOf(facts)
      for (const name of ['app-config', 's', 'foo-x']) {
        const changed = source({ name, annotations: { [match]: 'true' } }, settings)
        const decision = decideReload(changed, facts, settings)
        const isUsed = targetContainer(facts.pod, changed.reference, { mustUse: decision.auto }) !== undefined
        const isFound =
          [...matcher.named, ...matcher.referenced].some(one => one.type === 'configmap' && one.name === name) ||
          matcher.patterns.some(({ type, pattern }) => type === 'configmap' && pattern.isFoundIn(name))
        if (decision.reload && isUsed) expect(isFound).toBe(true)
      }
    }),
    { numRuns: 500 },
  )
})
