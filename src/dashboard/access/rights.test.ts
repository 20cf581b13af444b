import { expect, test } from 'vitest'
import { VirtualClock } from '#kube/clock.ts'
import { pictureOf } from '../views/testdata/homelab.ts'
import { AccessBook } from './access-book.ts'
import { type Right, ViewerRights } from './rights.ts'
import type { Viewer } from './viewer.ts'

const listing = (namespace: string): Right => ({ verb: 'list', group: '', resource: 'pods', namespace })
const patching: Right = { verb: 'patch', group: 'ballast.dev', resource: 'rebalanceplans' }

function rightsOf(answer: (right: Right) => Promise<boolean>) {
  const clock = new VirtualClock(0)
  const asked: string[] = []
  const rights = new ViewerRights(
    right => {
      asked.push(`${right.verb} ${right.namespace ?? ''}`.trim())
      return answer(right)
    },
    clock,
    new AbortController().signal,
  )
  return { clock, asked, rights }
}

test('reading is asked about once a minute, acting every ten seconds, by many at once only once', async () => {
  const { clock, asked, rights } = rightsOf(async () => true)
  await Promise.all([rights.learn([listing('a'), patching]), rights.learn([listing('a'), patching])])
  expect(asked).toEqual(['list a', 'patch'])
  await clock.advance(9_000)
  await rights.learn([listing('a'), patching])
  expect(asked).toHaveLength(2)
  await clock.advance(2_000)
  await rights.learn([listing('a'), patching])
  expect(asked).toEqual(['list a', 'patch', 'patch'])
  await clock.advance(60_000)
  await rights.learn([listing('a')])
  expect(asked.at(-1)).toBe('list a')
  expect([rights.known(listing('a')), rights.known(listing('b'))]).toEqual([true, undefined])
})

test('an answer does not hold for ever when nobody asks again', async () => {
  const { clock, rights } = rightsOf(async () => true)
  await rights.learn([patching])
  await clock.advance(13_000)
  expect(rights.known(patching)).toBeUndefined()
})

test('while the server cannot be asked its last answer holds for ten minutes, and it is left alone for five seconds', async () => {
  let isDown = false
  const { clock, asked, rights } = rightsOf(async () => {
    if (isDown) throw new Error('down')
    return true
  })
  await rights.learn([patching])
  isDown = true
  await clock.advance(11_000)
  await rights.learn([patching])
  await rights.learn([patching])
  expect([asked.length, rights.known(patching)]).toEqual([2, true])
  await clock.advance(6_000)
  await rights.learn([patching])
  expect(asked).toHaveLength(3)
  await clock.advance(590_000)
  await rights.learn([patching])
  expect(rights.known(patching)).toBeUndefined()
})

test('nobody waits longer than two seconds, and until then nothing is allowed', async () => {
  const { clock, rights } = rightsOf(() => new Promise<boolean>(() => undefined))
  const learnt = rights.learn([patching])
  await clock.advance(2_000)
  await learnt
  expect(rights.known(patching)).toBeUndefined()
})

const picture = pictureOf([])

function viewerOf(name: string, allowed: readonly string[]): Viewer {
  const { rights } = rightsOf(async ({ verb, resource, namespace = '' }) =>
    allowed.includes(`${verb} ${resource} ${namespace}`.trim()),
  )
  const never = () => {
    throw new Error('nothing is written here')
  }
  const api = { resource: never, discover: never, getPath: never, getText: never, under: never, witnessedBy: never, close: never }
  return {
    name,
    groups: [],
    id: name,
    rights,
    isReadingAll: false,
    api,
    isSpokenFor: false,
    ended: undefined,
    stillIs: async () => true,
  }
}

const bookOf = () => new AccessBook({ clock: new VirtualClock(0), isActing: () => true, displayZone: undefined })

test('views are run again with what they missed, and named pods of a namespace only then', async () => {
  const book = bookOf()
  const viewer = viewerOf('jane', ['list pods a'])
  const seen: string[] = []
  const view = await book.viewed(viewer, picture, ({ viewing }) => {
    seen.push(`${viewing.sees('a')} ${viewing.sees('b')} ${viewing.sees(undefined)}`)
    return seen.at(-1)
  })
  expect([view, seen]).toEqual(['true false false', ['false false false', 'true false false']])
  await book.viewed(viewer, picture, ({ viewing }) => seen.push(String(viewing.sees('a'))))
  expect(seen.at(-1)).toBe('true')
  expect(seen).toHaveLength(3)
})

test('two viewers have the same key only where they may and see the same', async () => {
  const book = bookOf()
  const keyOf = async (viewer: Viewer) =>
    book.viewed(viewer, picture, seen => [seen.viewing.sees('a'), seen.viewing.sees('b'), seen.viewing.key].at(-1))
  const a = ['list pods a']
  const [jane, joe, ann, max] = await Promise.all(
    [
      viewerOf('jane', a),
      viewerOf('joe', a),
      viewerOf('ann', ['list pods b']),
      viewerOf('max', [...a, 'patch rebalanceplans']),
    ].map(keyOf),
  )
  expect(jane).toBe(joe)
  expect(new Set([jane, ann, max]).size).toBe(3)
})

test('who listens to a key is told of what anybody’s views of that key miss', async () => {
  const book = bookOf()
  const [jane, joe] = [viewerOf('jane', []), viewerOf('joe', [])]
  const [one, other] = await Promise.all([book.seen(jane, picture), book.seen(joe, picture)])
  const missed: Right[] = []
  using _told = book.onMiss(one.viewing.key, right => missed.push(right))
  other.viewing.sees('c')
  other.viewing.sees('c')
  expect(missed).toEqual([listing('c')])
})
