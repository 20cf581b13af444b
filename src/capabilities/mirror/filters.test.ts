import { expect, test } from 'vitest'
import { parsePattern } from '#kube/values/regex.ts'
import { everything, mirrorsLabelHost, mirrorsRegistry, passes, type RegistryFilters } from './filters.ts'

function filters(registries: readonly string[] | undefined, ...patterns: readonly string[]): RegistryFilters {
  const parsed = patterns.map(text => parsePattern(text)).flatMap(read => (read.ok ? [read.value] : []))
  return { registries: registries === undefined ? undefined : new Set(registries), patterns: parsed }
}

const image = { registry: 'ghcr.io', repository: 'acme/app', tag: 'latest' }

// biome-ignore format: a table
test.each([
  ['all', everything, true],
  ['case 10: another registry', filters(['docker.io']), false],
  ['this registry', filters(['docker.io', 'ghcr.io']), true],
  ['case 11: its tag', filters(undefined, ':latest$'), false],
  ['another tag', filters(undefined, ':v1$'), true],
  ['its repository', filters(undefined, '^ghcr\\.io/acme/'), false],
  ['one of several', filters(undefined, 'nothing', 'acme/app'), false],
])('%s', (_case, given, does) => expect(passes(given, image)).toBe(does))

test('a digest has no tag that could be filtered', () => {
  expect(passes(filters(undefined, ':latest$'), { registry: 'ghcr.io', repository: 'acme/app' })).toBe(true)
})

test('case 27: labels have no port, names have', () => {
  const given = filters(['registry.test:5000'])
  expect(mirrorsLabelHost(given, 'registry.test')).toBe(true)
  expect(mirrorsLabelHost(given, 'other.test')).toBe(false)
  expect(mirrorsRegistry(given, 'registry.test')).toBe(false)
  expect(mirrorsRegistry(given, 'registry.test:5000')).toBe(true)
  expect(mirrorsLabelHost(everything, 'any.test')).toBe(true)
})
