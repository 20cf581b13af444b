import { describe, expect, test } from 'vitest'
import { readFault } from './fault.ts'
import { matches, type RequestFacts, verdictOf } from './fault-match.ts'
import type { FaultMatch, FaultSpec } from './fault-spec.ts'

const nowMs = Date.parse('2026-01-01T00:00:00Z')
const facts: RequestFacts = {
  verb: 'update',
  group: 'coordination.k8s.io',
  resource: 'leases',
  subresource: undefined,
  namespace: 'kube-system',
  name: 'ballast',
  user: 'system:serviceaccount:ballast:ballast',
  userAgent: 'ballast/0.1.0 (linux)',
  nowMs,
}
const status = { code: 500 }
const never = () => {
  throw new Error('nothing is left to chance here')
}

describe('which requests a fault means', () => {
  // biome-ignore format: a table
  test.each<[string, FaultMatch | undefined, Partial<RequestFacts>, boolean]>([
    ['no match: all', undefined, {}, true],
    ['an empty match: all', {}, { subresource: 'status' }, true],
    ['verb', { verbs: ['update', 'patch'] }, {}, true],
    ['another verb', { verbs: ['get'] }, {}, false],
    ['group and resource', { group: 'coordination.k8s.io', resource: 'leases' }, {}, true],
    ['core only', { group: '' }, {}, false],
    ['the core group', { group: '' }, { group: '' }, true],
    ['another resource', { resource: 'pods' }, {}, false],
    ['a resource means no subresource', { resource: 'leases' }, { subresource: 'status' }, false],
    ['a subresource asked for', { resource: 'leases', subresource: 'status' }, { subresource: 'status' }, true],
    ['a subresource means not the resource', { resource: 'leases', subresource: 'status' }, {}, false],
    ['any subresource', { resource: 'leases', subresource: '*' }, { subresource: 'scale' }, true],
    ['any subresource, or none', { resource: 'leases', subresource: '*' }, {}, true],
    ['namespace', { namespace: 'kube-system' }, {}, true],
    ['another namespace', { namespace: 'kube' }, {}, false],
    ['namespaces that begin so', { namespace: 'kube*' }, {}, true],
    ['a cluster-wide request has no namespace', { namespace: 'kube*' }, { namespace: undefined }, false],
    ['name', { name: 'ballast' }, {}, true],
    ['a name, where a list has none', { name: 'ballast' }, { name: undefined }, false],
    ['user', { user: 'system:serviceaccount:*' }, {}, true],
    ['another user', { user: 'ballast' }, {}, false],
    ['agent up to the slash', { userAgent: 'ballast' }, {}, true],
    ['agent that begins so', { userAgent: 'ballast/0*' }, {}, true],
    ['another agent', { userAgent: 'kubectl' }, {}, false],
    ['requests about faults are never meant', undefined, { group: 'ballast.dev', resource: 'twinfaults' }, false],
    ['requests about the clock, unnamed', undefined, { group: 'ballast.dev', resource: 'twinclocks' }, false],
    ['requests about the clock, named', { resource: 'twinclocks' }, { group: 'ballast.dev', resource: 'twinclocks' }, true],
    ['a resource of that name elsewhere', undefined, { group: 'example.com', resource: 'twinfaults' }, true],
  ])('%s', (_, match, asked, expected) => {
    expect(matches(match, { ...facts, ...asked })).toBe(expected)
  })
})

describe('whether a fault fires', () => {
  // biome-ignore format: a table
  test.each<[string, Partial<FaultSpec>, { met: number; fired: number; afterMs?: number }, () => number, string]>([
    ['at once', {}, { met: 0, fired: 0 }, never, 'fires'],
    ['the first are skipped', { skipFirst: 2 }, { met: 1, fired: 0 }, never, 'skipped'],
    ['those behind are not', { skipFirst: 2 }, { met: 2, fired: 0 }, never, 'fires'],
    ['often enough', { count: 3 }, { met: 3, fired: 3 }, never, 'spent'],
    ['once more', { count: 3 }, { met: 9, fired: 2 }, never, 'fires'],
    ['chance below', { probability: 0.3 }, { met: 0, fired: 0 }, () => 0.29, 'fires'],
    ['chance at', { probability: 0.3 }, { met: 0, fired: 0 }, () => 0.3, 'spared'],
    ['never', { probability: 0 }, { met: 0, fired: 0 }, () => 0, 'spared'],
    ['not yet', { from: '10m' }, { met: 0, fired: 0, afterMs: 599_999 }, never, 'other'],
    ['from then on', { from: '10m' }, { met: 0, fired: 0, afterMs: 600_000 }, never, 'fires'],
    ['a time', { from: '2026-01-01T00:10:00Z' }, { met: 0, fired: 0, afterMs: 599_999 }, never, 'other'],
    ['until', { until: '1m' }, { met: 0, fired: 0, afterMs: 59_999 }, never, 'fires'],
    ['no longer', { until: '1m' }, { met: 0, fired: 0, afterMs: 60_000 }, never, 'other'],
    ['another request', { match: { resource: 'pods' } }, { met: 0, fired: 0 }, never, 'other'],
  ])('%s', (_, spec, { met, fired, afterMs = 0 }, random, expected) => {
    const fault = readFault({ status, ...spec }, nowMs)
    expect(verdictOf(fault, { met, fired }, { ...facts, nowMs: nowMs + afterMs }, random)).toBe(expected)
  })
})

describe('a spec that is wrong is refused by its place', () => {
  // biome-ignore format: a table
  test.each<[string, unknown, RegExp]>([
    ['no effect', { match: {} }, /spec: found "none", expected exactly one of status, latency, reset/],
    ['two effects', { status, reset: { when: 'after' } }, /found "status, reset", expected exactly one of/],
    ['two for a watch', { watch: { drop: {}, expire: {} } }, /spec\.watch: found "drop, expire", expected exactly one of drop, cut, stall/],
    ['none for a watch', { watch: {} }, /spec\.watch: found "none"/],
    ['faults themselves', { match: { resource: 'twinfaults' }, status }, /spec\.match\.resource: found "twinfaults", expected another resource: a fault must be removable/],
    ['an unknown verb', { match: { verbs: ['evict'] }, status }, /match\.verbs\[0\]: found "evict", expected one of/],
    ['an unknown key', { statuss: status }, /did you mean "status"/],
    ['a probability above 1', { probability: 2, status }, /probability: found "2", expected at most 1/],
    ['a success', { status: { code: 200 } }, /status\.code: found "200", expected at least 400/],
    ['a wait that is none', { latency: { p50: 'soon' } }, /latency\.p50: found "soon"/],
    ['a time that is none', { from: 'noon', status }, /spec\.from: found "noon", expected a time such as/],
    ['no object', 'crash', /spec: found "crash", expected an object/],
  ])('%s', (_, spec, expected) => {
    expect(() => readFault(spec, nowMs)).toThrow(expected)
  })
})
