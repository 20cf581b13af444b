import { describe, expect, it } from 'vitest'
import { routeTo } from '#test/loopback-gateway.ts'
import type { Target } from '../endpoints/targets.ts'
import type { Route } from '../routing/route.ts'
import { routingTable } from '../routing/routing-table.ts'
import { leastPatienceMs, mostTold, warmRoute } from './warm-routes.ts'

const endpoint = (host: string, port = 80) => ({ host, port, authority: `${host}:${port}`, inFlight: 0 })
const ready: Target = { wire: 'http', endpoints: [endpoint('10.0.0.1'), endpoint('fd00::1', 8080)] }

function judged(
  more: Partial<Route> = {},
  target: Partial<Target> = {},
  now: { waiting?: number; hosts?: string[]; requestMs?: number; responseHeaderMs?: number } = {},
) {
  const { waiting = 0, hosts = ['app.test'], requestMs = 0, responseHeaderMs = 300_000 } = now
  return warmRoute(
    { route: routeTo('app', more), target: { ...ready, ...target }, waiting, plainHosts: hosts },
    { requestMs, responseHeaderMs },
  )
}

const hints = routeTo('app').hints
const answer = { status: 200, headers: {}, body: 'ok' }
const rules = [{ hosts: [], paths: ['/x'], headers: [] }]

describe('a route that needs no decision', () => {
  it('is told with its hosts and every ready address', () =>
    expect(judged({ timeouts: { responseHeaderMs: 20_000 } }, {}, { hosts: ['app.test', 'b_c.test'] })).toEqual({
      key: 'default/app',
      hosts: ['app.test', 'b_c.test'],
      endpoints: [
        { host: '10.0.0.1', port: 80 },
        { host: 'fd00::1', port: 8080 },
      ],
      responseHeaderMs: 20_000,
    }))
  it.each<[string, ReturnType<typeof judged>]>([
    ['a rule for the time before it is ready', judged({ staticRoutes: [{ rules, answer, mode: 'WhenUnavailable' }] })],
    ['a placeholder', judged({ placeholder: answer })],
    ['a page that waits', judged({ hints: { ...hints, waiting: 'page' } })],
    ['a fallback', judged({ fallback: { service: 'other', port: 80 } })],
  ])('may have %s', (_what, found) => expect(found).not.toHaveProperty('why'))
  it('is told with so many addresses at most', () => {
    const endpoints = Array.from({ length: mostTold + 5 }, (_, at) => endpoint(`10.1.${at >> 8}.${at & 255}`))
    expect(judged({}, { endpoints })).toMatchObject({ endpoints: { length: mostTold } })
  })
})

describe('requests ask the gateway', () => {
  it.each<[string, ReturnType<typeof judged>, RegExp]>([
    ['without a host of its own', judged({}, {}, { hosts: [] }), /no host/],
    [
      'with hosts that a map cannot hold',
      judged({}, {}, { hosts: ['a b', 'x;y', 'ä.test', '-a', '', 'a'.repeat(254)] }),
      /no host/,
    ],
    ['whose answers have little time', judged({ timeouts: { responseHeaderMs: leastPatienceMs - 1 } }), /little time/],
    ['where all answers have little time', judged({}, {}, { responseHeaderMs: 1_000 }), /little time/],
    ['of endpoints that are no addresses', judged({}, { endpoints: [endpoint('abc'), endpoint('1.2.3')] }), /no endpoint/],
    ['where the model decides', judged({ hints: { ...hints, llm: true } }), /model in the body/],
    ['where endpoints have models', judged({ hints: { ...hints, warmModel: 'llama' } }), /models/],
    ['where a rule answers always', judged({ staticRoutes: [{ rules, answer, mode: 'Always' }] }), /by themselves/],
    ['where a request has a time', judged({ timeouts: { requestMs: 1 } }), /as a whole/],
    ['where every request has one', judged({}, {}, { requestMs: 1 }), /as a whole/],
    ['without a target', judged({}, { problem: 'portName "web" is no port' }), /portName/],
    ['of a target of HTTP/2', judged({}, { wire: 'h2c' }), /h2c/],
    ['of a target of TLS', judged({}, { wire: 'https' }), /https/],
    ['while others wait', judged({}, {}, { waiting: 1 }), /wait for it/],
    ['while nothing is ready', judged({}, { endpoints: [] }), /no endpoint/],
    ['of a name outside', judged({}, { endpoints: [], outside: endpoint('example.org') }), /no endpoint/],
    ['of an address that is none', judged({}, { endpoints: [endpoint('a b')] }), /no endpoint/],
  ])('%s', (_when, found, why) => expect(found).toMatchObject({ why: expect.stringMatching(why) }))
  it('with a time that the route lifts, it is told', () =>
    expect(judged({ timeouts: { requestMs: 0 } }, {}, { requestMs: 5 })).not.toHaveProperty('why'))
})

describe('hosts that lead to one route whatever else a request says', () => {
  const of = (...routes: readonly Route[]) => [...routingTable(routes).plainHosts()].map(([host, { name }]) => `${host} ${name}`)
  const rule = (hosts: string[], paths: string[] = [], headers: { name: string; value?: string }[] = []) => ({
    hosts,
    paths,
    headers,
  })
  it.each<[string, readonly Route[], readonly string[]]>([
    ['one host', [routeTo('a')], ['a.test a']],
    ['two hosts of a rule', [routeTo('a', { rules: [rule(['x.test', 'y.test'])] })], ['x.test a', 'y.test a']],
    ['a path', [routeTo('a', { rules: [rule(['x.test'], ['/api'])] })], []],
    ['the path of all', [routeTo('a', { rules: [rule(['x.test'], ['/'])] })], ['x.test a']],
    ['a path beside', [routeTo('a'), routeTo('b', { rules: [rule(['a.test'], ['/b'])] })], []],
    ['a header', [routeTo('a', { rules: [rule(['x.test'], [], [{ name: 'x-a' }])] })], []],
    ['a header beside', [routeTo('a'), routeTo('b', { rules: [rule(['a.test'], [], [{ name: 'x-a' }])] })], []],
    ['a pattern', [routeTo('a', { rules: [rule(['*.test', '*'])] })], []],
    ['no host', [routeTo('a', { rules: [rule([])] })], []],
    [
      'one host of two',
      [routeTo('young', { createdMs: 9, rules: [rule(['x.test'])] }), routeTo('old', { rules: [rule(['x.test'])] })],
      ['x.test old'],
    ],
  ])('%s', (_what, routes, expected) => expect(of(...routes)).toEqual(expected))
})
