import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { VirtualClock } from '#kube/clock.ts'
import { CachedLists, type Question } from './cached-lists.ts'

const route = 'llm/ollama'
const json = ['Content-Type', 'application/json']
const ask = (headers: readonly string[] = [], more: Partial<Question> = {}): Question => ({
  ...{ method: 'GET', target: '/v1/models', host: 'llm.home', headers },
  ...more,
})

function lists() {
  const clock = new VirtualClock(0)
  const cached = new CachedLists(clock)
  const keep = (
    question: Question,
    body: string,
    more: { status?: number; headers?: readonly string[]; route?: string } = {},
  ) => {
    const recording = cached.record(more.route ?? route, question)
    recording.head(more.status ?? 200, more.headers ?? json)
    for (let at = 0; at < body.length; at += 1_000) recording.write(Buffer.from(body.slice(at, at + 1_000)))
    recording.end()
  }
  const said = (question: Question, of = route) => cached.answer(of, question)?.body.toString()
  return { clock, cached, keep, said }
}

test('a copy is answered as one, with what belongs to its body', () => {
  const { cached, keep } = lists()
  const headers = [
    'content-type',
    'application/json; charset=utf-8',
    'Date',
    'x',
    'X-Request-Id',
    '1',
    'Content-Length',
    '2',
    'Access-Control-Allow-Origin',
    '*',
  ]
  keep(ask(), '{}', { headers })
  expect(cached.answer(route, ask([], { method: 'HEAD' }))).toEqual({
    headers: ['content-type', 'application/json; charset=utf-8', 'Access-Control-Allow-Origin', '*', 'X-Ballast-Cached', 'true'],
    body: Buffer.from('{}'),
  })
})

describe('nobody gets what another one was answered', () => {
  // biome-ignore format: a table
  test.each([
    ['the same key', ['Authorization', 'Bearer a'], ['authorization', 'Bearer a'], true],
    ['another key', ['Authorization', 'Bearer a'], ['Authorization', 'Bearer b'], false],
    ['no key', ['Authorization', 'Bearer a'], [], false],
    ['a key where none was', [], ['Authorization', 'Bearer a'], false],
    ['another cookie', ['Cookie', 'a=1'], ['Cookie', 'a=2'], false],
    ['the key as another header', ['Authorization', 'a'], ['X-Api-Key', 'a'], false],
    ['two cookies that read as one', ['Cookie', 'a', 'Cookie', 'b'], ['Cookie', 'ab'], false],
    ['another agent', ['User-Agent', 'a'], ['User-Agent', 'b'], true],
  ])('%s', (_name, kept, asked, isAnswered) => {
    const { keep, said } = lists()
    keep(ask(kept), '1')
    expect(said(ask(asked))).toBe(isAnswered ? '1' : undefined)
  })
  test('nor what another route, host or query was', () => {
    const { keep, said } = lists()
    keep(ask(), '1')
    expect(said(ask(), 'llm/other')).toBeUndefined()
    expect(said(ask([], { host: 'other.home' }))).toBeUndefined()
    expect(said(ask([], { target: '/v1/models?a' }))).toBeUndefined()
    expect(said(ask([], { method: 'POST' }))).toBeUndefined()
    expect(said(ask())).toBe('1')
  })
})

describe('what an answer says of being kept is respected', () => {
  // biome-ignore format: a table
  test.each([
    ['as it is', 200, json, true],
    ['an error', 503, json, false],
    ['a page', 200, ['Content-Type', 'text/html'], false],
    ['without a type', 200, [], false],
    ['not to be kept', 200, [...json, 'Cache-Control', 'private, No-Store'], false],
    ['for the one who asked', 200, [...json, 'Cache-Control', 'private'], true],
    ['a cookie', 200, [...json, 'Set-Cookie', 'a=1'], false],
    ['it varies by everything', 200, [...json, 'Vary', 'Accept, *'], false],
    ['it varies by too much', 200, [...json, 'Vary', 'a,b,c,d,e,f,g,h,i'], false],
  ])('%s', (_name, status, headers, isKept) => {
    const { keep, said } = lists()
    keep(ask(), '1', { status, headers })
    expect(said(ask())).toBe(isKept ? '1' : undefined)
  })
  test('Vary', () => {
    const { keep, said, cached } = lists()
    const headers = [...json, 'Vary', 'Accept-Language']
    keep(ask(['Accept-Language', 'de']), 'de', { headers })
    keep(ask(['Accept-Language', 'en']), 'en', { headers })
    keep(ask(['accept-language', 'en']), 'en2', { headers })
    expect(said(ask(['accept-language', 'de']))).toBe('de')
    expect(said(ask(['accept-language', 'en']))).toBe('en2')
    expect(said(ask())).toBeUndefined()
    expect(cached.size).toEqual({ answers: 2, bytes: 5 })
  })
  test('packed bodies and named origins vary, whether it is said or not', () => {
    const { keep, said } = lists()
    keep(ask(['Accept-Encoding', 'gzip']), 'z', { headers: [...json, 'Content-Encoding', 'gzip'] })
    expect(said(ask())).toBeUndefined()
    expect(said(ask(['Accept-Encoding', 'gzip']))).toBe('z')
    keep(ask(['Origin', 'https://a']), 'a', { headers: [...json, 'Access-Control-Allow-Origin', 'https://a'], route: 'b/b' })
    expect(said(ask(['Origin', 'https://b']), 'b/b')).toBeUndefined()
  })
})

describe('bounds', () => {
  test('a long answer, and one that broke off, are not kept', () => {
    const { cached, keep, said } = lists()
    keep(ask(), 'x'.repeat(256 * 1024 + 1))
    expect(said(ask())).toBeUndefined()
    const recording = cached.record(route, ask())
    recording.head(200, json)
    recording.write(Buffer.from('{"half'))
    expect(said(ask())).toBeUndefined()
    expect(cached.size).toEqual({ answers: 0, bytes: 0 })
  })
  test('after a week', () => {
    const { clock, keep, said } = lists()
    keep(ask(), '1')
    for (const [hours, isKept] of [
      [168, true],
      [1, false],
    ] as const) {
      clock.schedule(hours * 3_600_000, () => undefined)
      clock.step()
      expect(said(ask()) !== undefined).toBe(isKept)
    }
  })
  test('many who ask push out the oldest of their route alone', () => {
    const { cached, keep, said } = lists()
    keep(ask(), 'other', { route: 'a/a' })
    for (let at = 0; at < 65; at++) keep(ask(['Authorization', String(at)]), '1')
    expect(said(ask(['Authorization', '0']))).toBeUndefined()
    expect(said(ask(['Authorization', '1']))).toBe('1')
    expect(said(ask(), 'a/a')).toBe('other')
    expect(cached.size.answers).toBe(65)
  })
  test('all together never take more than their bound', () => {
    const { cached, keep } = lists()
    for (let at = 0; at < 100; at++) keep(ask(), 'x'.repeat(250_000), { route: `a/${at}` })
    expect(cached.size.bytes).toBeLessThanOrEqual(16 * 1024 * 1024)
    expect(cached.size.answers).toBe(67)
  })
})

test('what is counted is what is there, whatever is kept and forgotten', () => {
  const step = fc.record({ of: fc.nat(3), who: fc.nat(80), body: fc.string(), language: fc.nat(2), forget: fc.boolean() })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), steps => {
      const { cached, keep, said } = lists()
      for (const { of, who, body, language, forget } of steps) {
        if (forget) cached.forget(`a/${of}`)
        const question = ask(['Authorization', String(who), 'Accept-Language', String(language)])
        keep(question, body, { headers: [...json, 'Vary', 'accept-language'], route: `a/${of}` })
        expect(said(question, `a/${of}`)).toBe(Buffer.from(body).toString())
      }
      for (let of = 0; of < 4; of++) cached.forget(`a/${of}`)
      expect(cached.size).toEqual({ answers: 0, bytes: 0 })
    }),
    { numRuns: 30 },
  )
})
