import { expect, test } from 'vitest'
import { VirtualClock } from '#kube/clock.ts'
import type { PrefetchState } from '../prefetch.ts'
import { PullingAhead } from './pulling-ahead.ts'

const startMs = Date.parse('2026-03-02T04:00:00Z')
const { signal } = new AbortController()

interface Site {
  readonly answers: Readonly<Record<string, readonly (readonly PrefetchState['state'][] | 'silent')[]>>
  readonly opensInMs?: number
}

/** Agents that answer by a list, its last entry again and again. */
function site({ answers, opensInMs = 0 }: Site) {
  const clock = new VirtualClock(startMs)
  const asked: { readonly node: string; readonly images: readonly string[]; readonly atMs: number }[] = []
  let most = 0
  let running = 0
  const pulling = new PullingAhead({
    clock,
    addressOf: node => (node in answers ? node : undefined),
    ask: async (node, images) => {
      most = Math.max(most, ++running)
      const list = answers[node] ?? []
      const answer = list[Math.min(list.length - 1, asked.filter(one => one.node === node).length)] ?? 'silent'
      asked.push({ node, images, atMs: clock.now() - startMs })
      await clock.after(10)
      running--
      if (answer === 'silent') throw new Error('connection refused')
      return images.map((image, at) => ({ image, state: answer[at] ?? 'present' }))
    },
    windowOpensMs: () => startMs + opensInMs,
  })
  const pull = async (images: readonly string[], nodes: readonly string[], limitMs = 600_000) => {
    const done = pulling.pull({ requester: 'mirror', images, nodes, deadlineMs: startMs + limitMs }, signal)
    let isOver = false
    void done.finally(() => {
      isOver = true
    })
    await clock.runUntil(() => isOver, { limitMs: limitMs * 2 })
    return (await done).map(({ node, image, outcome }) => `${node} ${image.split('/').at(-1)} ${outcome}`)
  }
  return { pull, asked, most: () => most }
}

test('asks until each image is there or failed, and then no more for that one', async () => {
  const { pull, asked } = site({ answers: { a: [['queued', 'pulling'], ['present', 'pulling'], ['failed']] } })
  expect(await pull(['x:1', 'y:1'], ['a'])).toEqual(['a x:1 present', 'a y:1 failed'])
  expect(asked.map(({ images }) => images.length)).toEqual([2, 2, 1])
})

test('an agent that does not answer is given up after three tries; the others do not wait', async () => {
  const { pull, asked } = site({ answers: { a: ['silent'], b: [['present']] } })
  expect(await pull(['x:1'], ['a', 'b', 'gone'])).toEqual(['a x:1 unreachable', 'b x:1 present', 'gone x:1 unreachable'])
  expect(asked.filter(({ node }) => node === 'a')).toHaveLength(3)
})

test('one that comes back is heard', async () => {
  const { pull } = site({ answers: { a: ['silent', 'silent', ['present']] } })
  expect(await pull(['x:1'], ['a'])).toEqual(['a x:1 present'])
})

test('ends at the deadline, though a pull goes on', async () => {
  const { pull } = site({ answers: { a: [['pulling']] } })
  expect(await pull(['x:1'], ['a'], 20_000)).toEqual(['a x:1 under-way'])
})

test('waits for the window; one that opens too late is not waited for', async () => {
  const open = site({ answers: { a: [['present']] }, opensInMs: 60_000 })
  expect(await open.pull(['x:1'], ['a'])).toEqual(['a x:1 present'])
  expect(open.asked[0]?.atMs).toBe(60_000)
  const closed = site({ answers: { a: [['present']] }, opensInMs: Number.POSITIVE_INFINITY })
  expect(await closed.pull(['x:1'], ['a'])).toEqual(['a x:1 outside-window'])
  expect(closed.asked).toEqual([])
})

test('what is no image has failed, and is not asked for', async () => {
  const { pull, asked } = site({ answers: { a: [['present']] } })
  expect(await pull(['NOT AN IMAGE', 'x:1'], ['a'])).toEqual(['a NOT AN IMAGE failed', 'a x:1 present'])
  expect(asked[0]?.images).toEqual(['docker.io/library/x:1'])
})

test('of many nodes eight are asked at once', async () => {
  const nodes = Array.from({ length: 40 }, (_, at) => `n${at}`)
  const { pull, most } = site({ answers: Object.fromEntries(nodes.map(node => [node, [['present']] as const])) })
  expect(await pull(['x:1'], nodes)).toHaveLength(40)
  expect(most()).toBe(8)
})
