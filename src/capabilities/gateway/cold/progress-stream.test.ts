import { describe, expect, test } from 'vitest'
import { VirtualClock } from '#kube/clock.ts'
import { ColdStarts } from './cold-start.ts'
import { ProgressStreams } from './progress-stream.ts'

const route = 'llm/ollama'

class Browser {
  status = 0
  text = ''
  isEnded = false
  takes = true
  closed: (() => void) | undefined
  drained: (() => void) | undefined
  answer(status: number) {
    this.status = status
  }
  write(chunk: string) {
    expect(this.isEnded).toBe(false)
    this.text += chunk
    return this.takes
  }
  onDrain(drained: () => void) {
    this.drained = drained
  }
  onClose(closed: () => void) {
    this.closed = closed
  }
  end() {
    this.isEnded = true
    this.closed?.()
  }
  get events() {
    return this.text.split('\n\n').flatMap(one => /^event: (.*)$/m.exec(one)?.[1] ?? [])
  }
}

function streams() {
  const clock = new VirtualClock(0)
  const starts = new ColdStarts({ clock })
  const ready = new Set<string>()
  const wanted: number[] = []
  const all = new ProgressStreams({
    ...{ clock, starts, isReady: one => ready.has(one) },
    onWanted: () => wanted.push(clock.elapsed()),
  })
  const open = (of = route) => {
    const browser = new Browser()
    return { browser, isOpen: all.open(of, browser) }
  }
  return { clock, starts, ready, wanted, all, open }
}

test('one view at once, one a second and one with each step, and the end when it is ready', async () => {
  const { clock, starts, ready, all, open } = streams()
  starts.begin(route)
  const { browser } = open()
  expect(browser.status).toBe(200)
  expect(browser.text).toMatch(/^retry: 3000\n\nevent: progress\ndata: \{"left":"no start was seen before/)
  await clock.advance(3_000)
  expect(browser.events).toHaveLength(4)
  starts.observe(route, { stage: 'image', sentence: 'image <b>\n is pulled' })
  expect(browser.events).toHaveLength(5)
  expect(browser.text).toContain('"sentence":"image <b>\\n is pulled"')
  ready.add(route)
  await clock.advance(1_000)
  expect(browser.events.slice(-1)).toEqual(['ready'])
  expect(browser.isEnded).toBe(true)
  expect(all.size).toBe(0)
  starts.abandon(route)
  expect(clock.pending).toBe(0)
})

test('who comes when it is ready is told at once', () => {
  const { ready, open, clock } = streams()
  ready.add(route)
  const { browser } = open()
  expect(browser.events).toEqual(['ready'])
  expect(browser.isEnded).toBe(true)
  expect(clock.pending).toBe(0)
})

test('as long as somebody looks it is wanted, and not longer', async () => {
  const { clock, wanted, open } = streams()
  const { browser } = open()
  const second = open().browser
  await clock.advance(25_000)
  expect(wanted).toEqual([0, 10_000, 20_000])
  browser.closed?.()
  second.closed?.()
  await clock.advance(60_000)
  expect(wanted).toHaveLength(3)
  expect(clock.pending).toBe(0)
})

test('a browser that takes nothing is sent nothing more, and no stream lives for ever', async () => {
  const { clock, all, open } = streams()
  const { browser } = open()
  browser.takes = false
  await clock.advance(1_000)
  const { length } = browser.events
  await clock.advance(100_000)
  expect(browser.events).toHaveLength(length)
  browser.drained?.()
  await clock.advance(1_000)
  expect(browser.events).toHaveLength(length + 1)
  await clock.advance(500_000)
  expect(browser.isEnded).toBe(true)
  expect(all.size).toBe(0)
})

describe('there are not too many', () => {
  test('of one route, and of all', () => {
    const { all, open } = streams()
    for (let at = 0; at < 200; at++) expect(open().isOpen).toBe(true)
    const refused = open()
    expect(refused.isOpen).toBe(false)
    expect(refused.browser.status).toBe(0)
    for (let at = 200; at < 1_000; at++) expect(open(`a/${at}`).isOpen).toBe(true)
    expect(open('b/b').isOpen).toBe(false)
    expect(all.size).toBe(1_000)
    all[Symbol.dispose]()
    expect(all.size).toBe(0)
    expect(open('b/b').isOpen).toBe(true)
  })
})
