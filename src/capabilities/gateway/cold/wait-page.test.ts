import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { bootStages } from './boot-stage.ts'
import type { Progress, StageProgress } from './cold-start.ts'
import { progressSubject, progressUrl, refreshSeconds, waitPage, wantsPage } from './wait-page.ts'
import { durationText, waitView } from './wait-view.ts'

const browser = ['Accept', 'text/html,application/xhtml+xml,*/*;q=0.8', 'Sec-Fetch-Mode', 'navigate']

describe('who gets a page', () => {
  // biome-ignore format: a table
  test.each([
    ['a browser', 'GET', browser, true],
    ['HEAD', 'HEAD', browser, true],
    ['in lower case, as of HTTP/2', 'GET', ['accept', 'text/html', 'sec-fetch-mode', 'navigate'], true],
    ['several lines of Accept', 'GET', ['accept', 'image/png', 'accept', 'text/html', 'sec-fetch-mode', 'navigate'], true],
    ['a browser whose host has no certificate', 'GET', ['Upgrade-Insecure-Requests', '1', 'Accept', 'text/html,*/*;q=0.8'], true],
    ['a script of a page that was upgraded', 'GET', ['Upgrade-Insecure-Requests', '1', 'Accept', 'text/html', 'Sec-Fetch-Mode', 'cors'], false],
    ['a form', 'POST', browser, false],
    ['a script', 'GET', ['Accept', 'text/html', 'Sec-Fetch-Mode', 'cors'], false],
    ['an image', 'GET', ['Accept', 'image/avif,*/*', 'Sec-Fetch-Mode', 'no-cors'], false],
    ['a machine', 'GET', ['Accept', '*/*'], false],
    ['a machine that takes HTML', 'GET', ['Accept', 'text/html'], false],
    ['one that refuses HTML', 'GET', ['Accept', 'text/html;q=0, */*', 'Sec-Fetch-Mode', 'navigate'], false],
    ['one that prefers JSON', 'GET', ['Accept', 'application/json, text/html;q=0.5', 'Sec-Fetch-Mode', 'navigate'], true],
    ['another type of the same beginning', 'GET', ['Accept', 'text/html5', 'Sec-Fetch-Mode', 'navigate'], false],
  ])('%s', (_name, method, headers, isPage) => {
    expect(wantsPage(method, headers)).toBe(isPage)
  })
})

function progress(more: Partial<Progress> = {}, times: Partial<Record<string, Partial<StageProgress>>> = {}): Progress {
  const stage = more.stage ?? 'image'
  const at = bootStages.indexOf(stage)
  return {
    ...{
      stage,
      sentence: 'image ollama/ollama:0.12.0 is pulled on node talos02',
      sinceMs: 17_000,
      totalMs: 105_000,
      etaMs: 48_000,
    },
    stages: bootStages.map((one, index) => ({
      ...{ stage: one, state: index < at ? ('done' as const) : index === at ? ('now' as const) : ('ahead' as const) },
      ...{ isExpected: true, ...times[one] },
    })),
    ...more,
  }
}

const page = (more: Partial<Parameters<typeof waitPage>[0]> = {}) =>
  waitPage({ name: 'ollama-gpu', host: 'llm.home.arpa', target: '/chat?q=1', progress: progress(), ...more })
const header = (answer: ReturnType<typeof page>, name: string) => answer.headers[answer.headers.indexOf(name) + 1] ?? ''

describe('the page', () => {
  test('says that it is no answer, when to come again, and that nobody keeps it', () => {
    const answer = page()
    expect(answer.status).toBe(503)
    expect(header(answer, 'Retry-After')).toBe('48')
    expect(header(answer, 'Cache-Control')).toBe('no-store')
    expect(header(page({ progress: undefined }), 'Retry-After')).toBe('10')
  })
  test('its policy names its own style and script by their hashes, and allows nothing else', () => {
    const answer = page()
    const said = header(answer, 'Content-Security-Policy')
    for (const tag of ['style', 'script']) {
      const text = new RegExp(`<${tag}>([^]*)</${tag}>`).exec(answer.body)?.[1] ?? ''
      expect(said).toContain(`${tag}-src 'sha256-${createHash('sha256').update(text).digest('base64')}'`)
    }
    expect(said).toMatch(/^default-src 'none'; /)
    expect(said).not.toMatch(/unsafe|https?:|\*/)
    expect(answer.body).not.toMatch(/ style=| on[a-z]+=|(?:src|href)="(?!data:)/)
  })
  test('without a script it comes again by itself, within bounds', () => {
    expect(page().body).toContain('<noscript><meta http-equiv="refresh" content="20"></noscript>')
    expect([undefined, 0, 2_500, 19_000, 9_999_999].map(refreshSeconds)).toEqual([5, 2, 3, 19, 20])
  })
  test('shows the stages, the bar and what is wrong', () => {
    const trouble = { reason: 'ImagePullBackOff', sentence: 'it cannot be pulled' }
    const { body } = page({
      progress: progress({ trouble }, { queued: { tookMs: 2_000 }, image: { tookMs: 17_000, usualMs: 41_000 } }),
    })
    expect(body).toContain('<html lang="en">')
    expect(body).toContain('<progress id="bar" max="100" value="68" aria-label="How far the start is">')
    expect(body).toContain('<li class="done"><span>Asked for</span><time>2 s</time></li>')
    expect(body).toContain('<li class="now" aria-current="step"><span>The image is pulled</span><time>17 s of 41 s</time></li>')
    expect(body).toContain('role="alert">it cannot be pulled [ImagePullBackOff]</p>')
    expect(page().body).toContain('role="alert" hidden></p>')
    expect(body.length).toBeLessThan(10_000)
  })
  test('where nothing is known it says so', () => {
    const { body } = page({ progress: undefined })
    expect(body).toContain('how long it takes is not known')
    expect(body).toContain('<progress id="bar" max="100" aria-label')
  })
})

describe('words', () => {
  const { etaMs: _none, ...unknown } = progress()
  const trouble = { reason: 'X', sentence: 'it is stuck' }
  // biome-ignore format: a table
  test.each<[string, Progress, string, number | null]>([
    ['what is left', progress(), 'about 48 s left', 68],
    ['the last moment', progress({ etaMs: 0 }), 'any moment now', 99],
    ['the first', progress({ totalMs: 0, etaMs: 0 }), 'any moment now', 0],
    ['nothing learned', unknown, 'no start was seen before: how long it takes is not known', null],
    ['trouble that may pass', progress({ trouble }, { image: { tookMs: 17_000, usualMs: 41_000 } }), 'about 48 s left', 68],
    ['trouble that lasts', progress({ trouble }, { image: { tookMs: 47_000, usualMs: 41_000 } }), 'it is held up', 68],
    ['trouble that nobody knows', progress({ trouble }), 'it is held up', 68],
  ])('%s', (_name, one, left, percent) => {
    expect(waitView(one)).toMatchObject({ left, percent })
  })
  test('times', () => {
    expect([-5, 0, 499, 59_499, 59_500, 125_000, 120_000, 725_000, 3_600_000, 3_900_000].map(durationText)).toEqual([
      ...['0 s', '0 s', '0 s', '59 s', '1 min', '2 min 5 s', '2 min', '12 min', '1 h', '1 h 5 min'],
    ])
    const times = { queued: { tookMs: 1 }, image: { tookMs: 47_000, usualMs: 41_000 }, container: { usualMs: 9_000 }, ready: {} }
    expect(waitView(progress({}, times)).stages.map(({ time }) => time)).toEqual([
      '0 s',
      '',
      '',
      '47 s, usually 41 s',
      'usually 9 s',
      '',
      '',
    ])
  })
  test('a stage that is not expected is not shown, nor the answer itself', () => {
    const stages = waitView(progress({}, { model: { isExpected: false } })).stages.map(({ label }) => label)
    expect(stages).toHaveLength(6)
    expect(stages.at(-1)).toBe('Ready for requests')
  })
})

const hostile = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 200 }),
  fc.constantFrom(
    ...[
      '</script><script>alert(1)</script>',
      '"><img src=x onerror=alert(1)>',
      "' onload='x",
      '</style><b>',
      '<!--',
      ']]>',
      '&lt;',
      '\u202e\u0000',
    ],
  ),
)

test('whatever names, hosts, paths and messages are, the page has the elements that it has without them', () => {
  const tags = (body: string) => body.match(/<[/!a-z][^\s>]*/gi)
  const plain = tags(page({ progress: progress({ trouble: { reason: 'X', sentence: 'x' } }) }).body)
  fc.assert(
    fc.property(hostile, hostile, hostile, hostile, (name, host, target, sentence) => {
      const one = progress({ sentence, trouble: { reason: name, sentence } })
      const answer = waitPage({ name, host, target: `/${target}`, progress: one })
      expect(tags(answer.body)).toEqual(plain)
      expect(answer.headers.join('')).not.toMatch(/[\r\n]/)
    }),
  )
})

test('the URL of the progress says which page it is of', () => {
  expect(progressUrl('/a b?c=ü&d=1#')).toBe('/.ballast/progress?for=%2Fa%20b%3Fc%3D%C3%BC%26d%3D1%23')
  for (const none of [
    '/.ballast/progress',
    '/.ballast/progress?x=/a',
    '/.ballast/progress?for=a',
    '/.ballast/progressive?for=/a',
    '/a',
  ])
    expect(progressSubject(none)).toBeUndefined()
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), text => {
      expect(progressSubject(progressUrl(`/${text}`))).toBe(`/${text.toWellFormed()}`)
    }),
  )
})
