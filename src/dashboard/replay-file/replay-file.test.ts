// Replays as files: nothing is asked of any network, hostile names stay text, sizes are bounded, and the picture moves as the steps say.
import { createHash } from 'node:crypto'
import { XMLParser, XMLValidator } from 'fast-xml-parser'
import { expect, test } from 'vitest'
import type { ReplayView } from '../contract-replay.ts'
import { animatedSvg } from './animated-svg.ts'
import { replayHtml } from './one-file.ts'

const hostile = '</script><script>alert(1)</script><img src=x onerror=alert(1)>]]>&"\' \u0007\ud800 \u202e'

const says = (text: string) => ({ code: 'a', text, facts: {}, links: [{ text: 'x', path: '/plan/x' }] })

/** `moves` pods go from `a` to `b`, all names as they are given. */
function filmOf({
  moves,
  name = 'pod',
  tiles = 0,
}: {
  readonly moves: number
  readonly name?: string
  readonly tiles?: number
}): ReplayView {
  const box = (boxName: string, requested: number) => ({
    ...{ name: boxName, kind: 'node' as const, nodes: 1, allocatable: [10_000], requested: [requested], pods: moves, missed: [] },
    lines: [{ goal: name, resource: 'cpu', min: null, max: 70 }],
  })
  const tile = (id: string, kind: 'moves' | 'held') => ({
    ...{ id, kind, box: `${name} a`, pods: 1, pod: { kind: 'Pod', namespace: name, name }, workload: null, amounts: [10] },
    ...{ because: says(name), remedy: says(name) },
  })
  return {
    ...{
      plan: name,
      cluster: name,
      phase: 'Proposed',
      madeAt: '2025-12-19T14:03:20+01:00',
      pool: null,
      resources: ['cpu'],
      moves,
    },
    boxes: [box(`${name} a`, 10 * (moves + tiles)), box(`${name} b`, 0)],
    tiles: [
      ...Array.from({ length: moves }, (_, at) => tile(`m${at}`, 'moves')),
      ...Array.from({ length: tiles }, (_, at) => tile(`s${at}`, 'held')),
    ],
    steps: Array.from({ length: moves }, (_, at) => ({
      ...{ id: `m${at}`, wave: 1, tile: `m${at}`, from: `${name} a`, to: `${name} b`, state: 'planned' as const },
      ...{ text: says(`Move ${at + 1} of ${moves}: ${name}`), why: says(name), refusals: [says(name)], proof: says(name) },
      after: [
        { box: `${name} a`, requested: [10 * (moves + tiles - at - 1)], pods: moves - at - 1, missed: [] },
        { box: `${name} b`, requested: [10 * (at + 1)], pods: at + 1, missed: [] },
      ],
    })),
    ...{ before: [says(name)], afterwards: [says(name)], notes: [says(name)] },
  }
}

const parts = { script: 'const a = "</script><!--"', styles: '.a{}' }

test('what a cluster calls itself is text in the page, whatever it says', () => {
  const text = replayHtml([filmOf({ moves: 2, name: hostile })], parts) ?? ''
  const outside = text.replace(/<script type="application\/json"[^>]*>.*?<\/script>/s, '')
  expect(text).not.toContain('<img src=x')
  expect(text).not.toContain('<script>alert')
  expect(outside.match(/<script/g)).toHaveLength(1)
  const [, data = ''] = /<script type="application\/json" id="replay">(.*?)<\/script>/s.exec(text) ?? []
  const [view]: readonly ReplayView[] = JSON.parse(data)
  expect(view?.tiles[0]?.pod?.name).toBe(hostile)
  expect(JSON.stringify(view)).not.toContain('/plan/x')
})

test('it asks nothing of any network, and runs its own script alone', () => {
  const text = replayHtml([filmOf({ moves: 1 })], parts) ?? ''
  expect(text).not.toMatch(/(src|href)="(?!data:,)/)
  expect(text).not.toMatch(/https?:\/\/(?!www\.w3\.org\/)/)
  const [, policy = ''] = /http-equiv="Content-Security-Policy" content="([^"]*)"/.exec(text) ?? []
  const [, script = ''] = /<script type="module">(.*?)<\/script>/s.exec(text) ?? []
  expect(policy).toContain('default-src &#39;none&#39;')
  expect(policy).toContain(createHash('sha256').update(script).digest('base64'))
  expect(script).toBe('const a = "<\\/script><\\!--"')
})

test('pools are left out where the file would be too large, and a plan that is too large by itself is none', () => {
  const large = filmOf({ moves: 1, name: 'x'.repeat(500), tiles: 3_000 })
  const [, data = ''] = /id="replay">(.*?)<\/script>/s.exec(replayHtml([filmOf({ moves: 1 }), large, large], parts) ?? '') ?? []
  expect(JSON.parse(data)).toHaveLength(2)
  expect(replayHtml([{ ...large, tiles: [...large.tiles, ...large.tiles] }], parts)).toBeUndefined()
})

test('the picture is whole XML with hostile names, and has neither a script nor anything from elsewhere', () => {
  const svg = animatedSvg(filmOf({ moves: 3, name: hostile, tiles: 2 }), 0)
  expect(XMLValidator.validate(svg)).toBe(true)
  expect(svg).not.toMatch(/<(script|img|image|a|use|foreignObject)\b|\s(on\w+|href)="|url\((?!#)|@import/)
  const { svg: read } = new XMLParser({ ignoreAttributes: false }).parse(svg)
  expect(read['title']).toContain('alert(1)')
})

// biome-ignore format: a table
test.each([
  [0,     0, 0],
  [1,     1, 1],
  [12,   12, 12],
  [1000, 12, 1000],
])('%i moves are %i beats, and %i tiles move', (moves, beats, tiles) => {
  const svg = animatedSvg(filmOf({ moves }), 0)
  expect(svg.match(/@keyframes beat\d+\{/g) ?? []).toHaveLength(beats)
  expect(svg.match(/@keyframes t\d+\{/g) ?? []).toHaveLength(tiles)
  expect(Buffer.byteLength(svg)).toBeLessThan(2_000 * (moves + 20))
})

test('each tile begins where it stood and ends where it comes to, and without motion it is seen there', () => {
  const svg = animatedSvg(filmOf({ moves: 1 }), 0)
  const [, keys = ''] = /@keyframes t0\{(.*?)\}\}/.exec(svg) ?? []
  expect(keys).toMatch(/^0%\{transform:translate\(-\d/)
  expect(keys).toMatch(/100%\{transform:translate\(0px,0px\) scale\(1,1\)$/)
  expect(svg).toContain('prefers-reduced-motion:reduce')
  expect(svg).toContain('animation:t0 10s')
})
