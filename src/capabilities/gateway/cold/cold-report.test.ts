import fc from 'fast-check'
import { expect, test } from 'vitest'
import { VirtualClock } from '#kube/clock.ts'
import { coldReport, mergedReports, readColdReport } from './cold-report.ts'
import { ColdStarts } from './cold-start.ts'

const trouble = { reason: 'ImagePullBackOff', sentence: 'it cannot be pulled' }

async function observed() {
  const clock = new VirtualClock(1_800_000_000_000)
  const starts = new ColdStarts({ clock })
  starts.begin('llm/ollama')
  starts.observe('llm/ollama', { stage: 'queued', sentence: 'q' })
  await clock.advance(2_000)
  starts.answered('llm/ollama')
  starts.begin('llm/ollama')
  starts.observe('llm/ollama', { stage: 'queued', sentence: 'q' })
  await clock.advance(500)
  starts.observe('llm/ollama', { stage: 'image', sentence: 'image <i> is pulled', trouble })
  await clock.advance(1_000)
  return starts
}

test('what is written is read', async () => {
  const text = coldReport(await observed(), ['llm/ollama', 'media/sonarr'])
  const boots = [{ endedMs: 1_800_000_002_000, tookMs: { queued: 2_000 } }]
  const start = { stage: 'image', sentence: 'image <i> is pulled', totalMs: 1_500, trouble: 'it cannot be pulled', etaMs: 0 }
  expect(readColdReport(text)).toEqual({ routes: new Map([['llm/ollama', { start, boots }]]) })
})

test.each([
  ['', 'it is no JSON: '],
  ['{"version":1,"routes":[{"key":"a/b","learned":"x"}]}', 'a/b: it is no JSON: '],
  ['{"version":1,"routes":[{"key":"a/b","learned":"","start":{"stage":"flying","sentence":"","totalMs":1}}]}', 'found "flying"'],
  ['{"version":1,"routes":[{"key":"a/b","learned":"","start":{"stage":"image","sentence":"","totalMs":-1}}]}', 'totalMs'],
  [`{"version":1,"routes":[{"key":"${'k'.repeat(321)}","learned":""}]}`, 'report: routes[0].key: '],
])('%s', (text, problem) => {
  const read = readColdReport(text)
  expect('problem' in read ? read.problem : '').toContain(problem)
})

test('of several gateways the farthest is told, and a start that each saw counts once', async () => {
  const read = readColdReport(coldReport(await observed(), ['llm/ollama']))
  const one = ('routes' in read ? read.routes.get('llm/ollama') : undefined) ?? expect.unreachable()
  const behind = { start: { stage: 'queued' as const, sentence: '', totalMs: 1 }, boots: one.boots }
  expect(mergedReports([behind, one, { start: undefined, boots: [] }])).toEqual(one)
  expect(mergedReports([])).toEqual({ start: undefined, boots: [] })
})

test('no text breaks the reader', () => {
  fc.assert(
    fc.property(fc.json(), text => {
      expect(readColdReport(text)).toSatisfy(read => 'problem' in read || 'routes' in read)
    }),
  )
})
