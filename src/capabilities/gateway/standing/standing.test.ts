import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { GatewaysStanding, RouteStanding } from '#coordination/ports/gateway-door.ts'
import { VirtualClock } from '#kube/clock.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { AskedGateways } from './asked-gateways.ts'
import { type HeardGateway, mergedStanding } from './merged-standing.ts'
import { readStanding, standingReport } from './standing-report.ts'

const start = { stage: 'image', sentence: 'image <i> is pulled', trouble: 'it cannot be pulled', totalMs: 1_500.4, etaMs: 0.2 }
const page = () => true

describe('a report', () => {
  const routes = new Map<string, RouteStanding>([
    ['llm/ollama', { requests: 3, held: 2, start }],
    ['media/sonarr', { requests: 0, held: 0 }],
  ])
  test('what is written is read', () => {
    expect(readStanding(standingReport(routes, page))).toEqual({
      routes: new Map([
        ['llm/ollama', { requests: 3, held: 2, start: { ...start, totalMs: 1_500, etaMs: 0 } }],
        ['media/sonarr', { requests: 0, held: 0 }],
      ]),
    })
  })
  test('has no words of a route whose own page tells nobody', () => {
    const text = standingReport(routes, key => key !== 'llm/ollama')
    expect(text).not.toContain('pulled')
    expect(text).toContain('"stage":"image"')
  })
  test('has 5,000 routes at most, and sentences of 1,000 characters', () => {
    const long: RouteStanding = { requests: 0, held: 0, start: { ...start, sentence: 'x'.repeat(9_000) } }
    const many = Array.from({ length: 6_000 }, (_none, at) => [`a/${at}`, long] as const)
    const read = readStanding(standingReport(many, page))
    expect('routes' in read ? read.routes.size : read.problem).toBe(5_000)
  })
  // biome-ignore format: a table
  test.each([
    ['', 'it is no JSON'],
    ['{}', 'version'],
    ['{"version":2,"routes":[]}', 'version'],
    ['{"version":1,"routes":[{"key":"a/b","requests":-1,"held":0}]}', 'requests'],
    ['{"version":1,"routes":[{"key":"","requests":1,"held":0}]}', 'key'],
    ['{"version":1,"routes":[{"key":"a/b","requests":1,"held":0,"start":{"stage":"nowhere","sentence":"","totalMs":1}}]}', 'stage'],
  ])('%s', (text, problem) => {
    const read = readStanding(text)
    expect('problem' in read ? read.problem : '').toContain(problem)
  })
  test('no text breaks the reader', () => {
    fc.assert(
      fc.property(fc.oneof(fc.json(), fc.string()), text => {
        expect(readStanding(text)).toSatisfy(read => 'problem' in read || 'routes' in read)
      }),
    )
  })
})

describe('several gateways together', () => {
  const heard = (atMs: number, ...routes: readonly (readonly [string, Partial<RouteStanding>])[]) => ({
    atMs,
    routes: new Map(routes.map(([key, one]) => [key, { requests: 0, held: 0, ...one }])),
  })
  const queued = { stage: 'queued', sentence: '', totalMs: 9_000 }
  const nowMs = 100_000
  // biome-ignore format: a table
  test.each<[string, readonly HeardGateway[], Partial<Omit<GatewaysStanding, 'routes'>>, Record<string, RouteStanding>]>([
    ['none', [], {}, {}],
    ['one', [{ name: 'a', heard: heard(nowMs, ['x/y', { requests: 2 }]) }], { answered: 1 }, { 'x/y': { requests: 2, held: 0 } }],
    ['sums', [
      { name: 'a', heard: heard(nowMs, ['x/y', { requests: 2, held: 1 }]) },
      { name: 'b', heard: heard(nowMs, ['x/y', { requests: 3, held: 3 }], ['x/z', {}]) },
    ], { answered: 2 }, { 'x/y': { requests: 5, held: 4 }, 'x/z': { requests: 0, held: 0 } }],
    ['the start that is farthest', [
      { name: 'a', heard: heard(nowMs, ['x/y', { start: queued }]) },
      { name: 'b', heard: heard(nowMs, ['x/y', { start }]) },
      { name: 'c', heard: heard(nowMs, ['x/y', {}]) },
    ], { answered: 3 }, { 'x/y': { requests: 0, held: 0, start } }],
    ['one was never heard', [{ name: 'a', heard: heard(nowMs) }, { name: 'b', why: 'away' }],
      { answered: 1, silent: [{ name: 'b', why: 'away' }] }, {}],
    ['one was not asked yet', [{ name: 'b' }], { silent: [{ name: 'b', why: 'it was not asked yet' }] }, {}],
    ['one is late: its numbers count', [{ name: 'b', heard: heard(nowMs - 12_000, ['x/y', { requests: 1 }]), why: 'away' }],
      { late: [{ name: 'b', agoMs: 12_000 }] }, { 'x/y': { requests: 1, held: 0 } }],
    ['one was heard too long ago', [{ name: 'b', heard: heard(nowMs - 50_001, ['x/y', { requests: 1 }]), why: 'away' }],
      { silent: [{ name: 'b', why: 'away' }] }, {}],
  ])('%s', (_name, gateways, counts, routes) => {
    expect(mergedStanding(gateways, nowMs)).toEqual({
      ...{ answered: 0, late: [], silent: [] },
      ...counts,
      routes: new Map(Object.entries(routes)),
    })
  })
})

function asked(names: readonly string[]) {
  const clock = new VirtualClock(0)
  const answers = new Map<string, () => Promise<{ status: number; body: string }>>()
  const world = { names, problem: undefined as Error | undefined, now: 0, most: 0, asked: 0 }
  const slice = (): KubeObject => ({
    ...{ apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', addressType: 'IPv4' },
    metadata: { name: 's', labels: { 'kubernetes.io/service-name': 'ballast-gateway' } },
    endpoints: world.names.map(name => ({ addresses: [name], conditions: { ready: true }, targetRef: { kind: 'Pod', name } })),
  })
  const says = (name: string, requests: number) =>
    answers.set(name, async () => ({ status: 200, body: standingReport([['x/y', { requests, held: 0 }]], page) }))
  for (const name of names) says(name, 1)
  const gateways = new AskedGateways({
    clock,
    slices: async () => {
      if (world.problem !== undefined) throw world.problem
      return [slice()]
    },
    ask: async address => {
      world.asked++
      world.most = Math.max(world.most, ++world.now)
      await Promise.resolve()
      world.now--
      const answer = answers.get(address)
      if (answer === undefined) throw new Error(`connect ECONNREFUSED ${address}`)
      return await answer()
    },
  })
  const { signal } = new AbortController()
  return {
    clock,
    world,
    answers,
    says,
    gateways,
    ask: () => gateways.ask(signal),
    requests: () => gateways.standing()?.routes.get('x/y')?.requests,
  }
}

describe('asking', () => {
  test('nothing is known before, and nobody is asked', () => {
    const { gateways, world } = asked(['a'])
    expect([gateways.standing(), world.asked]).toEqual([undefined, 0])
  })
  test('who does not answer is late, then silent, then back', async () => {
    const { gateways, answers, says, ask, clock, requests } = asked(['a', 'b'])
    await ask()
    expect([gateways.standing()?.answered, requests()]).toEqual([2, 2])
    answers.delete('b')
    await clock.advance(6_000)
    await ask()
    expect(gateways.standing()).toMatchObject({ answered: 1, late: [{ name: 'b', agoMs: 6_000 }], silent: [] })
    expect(requests()).toBe(2)
    await clock.advance(50_000)
    await ask()
    expect(gateways.standing()).toMatchObject({ answered: 1, late: [], silent: [{ name: 'b', why: 'connect ECONNREFUSED b' }] })
    expect(requests()).toBe(1)
    says('b', 5)
    await ask()
    expect([gateways.standing()?.answered, requests()]).toEqual([2, 6])
  })
  test('what was said is old after a while, also where nobody asks', async () => {
    const { gateways, ask, clock, requests } = asked(['a'])
    await ask()
    await clock.advance(51_000)
    expect(gateways.standing()).toMatchObject({ answered: 0, silent: [{ name: 'a' }] })
    expect(requests()).toBeUndefined()
  })
  test('a pod that is gone is not missed', async () => {
    const { gateways, world, ask, requests } = asked(['a', 'b'])
    await ask()
    world.names = ['a']
    await ask()
    expect(gateways.standing()).toMatchObject({ answered: 1, silent: [] })
    expect(requests()).toBe(1)
  })
  test('none is ready', async () => {
    const { gateways, ask } = asked([])
    await ask()
    expect(gateways.standing()).toEqual({ answered: 0, late: [], silent: [], routes: new Map() })
  })
  test('they may not be listed: those that were heard are told until that is old', async () => {
    const { gateways, world, ask, clock } = asked(['a'])
    await ask()
    world.problem = new Error('endpointslices is forbidden')
    await clock.advance(2_000)
    await ask()
    expect(gateways.standing()).toMatchObject({ answered: 1, unlisted: 'endpointslices is forbidden' })
    await clock.advance(60_000)
    expect(gateways.standing()).toMatchObject({ answered: 0, silent: [{ name: 'a' }], unlisted: 'endpointslices is forbidden' })
  })
  test.each([
    ['of an older version', { status: 404, body: 'not found' }, 'it answers 404'],
    ['that says nonsense', { status: 200, body: '<html>' }, 'it is no JSON'],
  ])('one %s is silent', async (_name, answer, why) => {
    const { gateways, answers, ask } = asked(['a'])
    answers.set('a', async () => answer)
    await ask()
    expect(gateways.standing()?.silent[0]?.why).toContain(why)
  })
  test('at most 64 are asked, 16 at once', async () => {
    const { gateways, world, ask } = asked(Array.from({ length: 100 }, (_none, at) => `pod-${at}`))
    await ask()
    expect([world.asked, world.most, gateways.standing()?.answered]).toEqual([64, 16, 64])
  })
})
