import { expect, test } from 'vitest'
import type { Source } from '../../contract.ts'
import { linkOf, unheardMarkup, unheardWords } from './unheard.ts'

const source = (name: string, state: Source['state'], because: string | null = `${name} is ${state}`): Source => ({
  name,
  state,
  lastAt: null,
  limitMs: 60_000,
  because: state === 'live' ? null : because,
})
const states = ['live', 'stale', 'down', 'off'] as const
const paths = ['/', '/plan', '/permits', '/workloads', '/node/a', '/rebalancing', '/images']

test.each(states.flatMap(state => paths.map(path => ({ state, path }))))(
  'the API server is $state: $path says so',
  ({ state, path }) => {
    const all = [source('api', state), source('metrics', state), source('ledger', state, 'api is down')]
    // The overview says it above all else, as its verdict.
    const isTold = path !== '/' && (state === 'stale' || state === 'down')
    expect(unheardWords(all, path).length > 0).toBe(isTold)
    expect(unheardMarkup(all, path) !== undefined).toBe(isTold)
    expect(linkOf(all)?.kind).toBe({ live: undefined, stale: 'late', down: 'silent', off: undefined }[state])
  },
)

test('of many kinds three are told, the others counted; a silent server alone', () => {
  const kinds = ['pods', 'nodes', 'services', 'jobs', 'leases'].map(name => source(name, 'stale'))
  const words = ['pods is stale.', 'nodes is stale.', 'services is stale.', '2 more kinds are not heard of.']
  expect(unheardWords([source('api', 'live'), ...kinds], '/plan')).toEqual(words)
  expect(unheardWords([source('api', 'stale'), ...kinds], '/plan')).toEqual(['api is stale.'])
})

test('a kind that cannot be read is told on each page, once', () => {
  const all = [source('api', 'live'), source('pods', 'down', 'refused.'), source('nodes', 'down', 'refused')]
  for (const path of paths) expect(unheardWords(all, path)).toEqual(['refused.'])
  expect(linkOf(all)).toBeUndefined()
})
