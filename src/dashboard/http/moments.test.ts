import { expect, test } from 'vitest'
import { pictureOf as clusterOf, nowMs } from '../views/testdata/homelab.ts'
import { pictureOf } from './moments.ts'

const picture = clusterOf([])
const codeOf = (found: ReturnType<typeof pictureOf>) => (found.ok ? 'found' : [found.answer.status, found.answer.code])

test.each([
  [undefined, 'found'],
  ['2025-12-19T13:00:00Z', 'found'],
  ['2025-12-19T14:00:00+01:00', 'found'],
  ['2025-12-19T13:03:22Z', 'found'],
  ['2025-12-19T13:04:00Z', [400, 'bad-query']],
  ['noon', [400, 'bad-query']],
  ['', [400, 'bad-query']],
])('the moment %s is %j', (at, code) => expect(codeOf(pictureOf(picture, at, past => ({ picture: past })))).toEqual(code))

test('of a moment before all that is kept it says from when on there is something', () => {
  const found = pictureOf(picture, '2025-12-01T00:00:00Z', () => ({ keptFromMs: nowMs - 3_600_000 }))
  expect(found.ok ? undefined : [found.answer.status, JSON.parse(String(found.answer.body))]).toEqual([
    410,
    {
      error: {
        code: 'moment-not-kept',
        message: 'Nothing is kept of 2025-12-01T00:00:00Z.',
        remedy: 'Ask for a moment from 2025-12-19T12:03:20Z on.',
        keptFrom: '2025-12-19T12:03:20Z',
      },
    },
  ])
})

test('of a moment a little ahead the present is shown: clocks differ', () => {
  const asked: number[] = []
  pictureOf(picture, '2025-12-19T13:03:22Z', (past, atMs) => {
    asked.push(atMs)
    return { picture: past }
  })
  expect(asked).toEqual([nowMs])
})
