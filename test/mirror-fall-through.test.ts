// What real containerds made of a mirror's answers (recorded: test/real/mirror/fall-through.ts), and what our front's answers rest on.
import { describe, expect, test } from 'vitest'
import { recordedBehaviour } from './real/mirror/fall-through.ts'
import { rows } from './real/mirror/fall-through-rows.ts'

/** Everything that leaves our front in place of content. */
const answersOfOurs = [
  '404',
  '404 to blobs',
  '401 without a challenge',
  '401 with a challenge that cannot be met',
  '405 to everything',
  '416 to everything',
]
/** What spec 3.1 says of the others that the front never gives. */
const costly: Readonly<Record<string, number>> = { '408': 6, '429': 6 }

describe.each(recordedBehaviour())('containerd $containerd', ({ rows: seen }) => {
  test('every row of the table was recorded', () => {
    expect(Object.keys(seen).toSorted()).toEqual(rows.map(({ name }) => name).toSorted())
  })

  test.each(answersOfOurs)('goes on to the registry after %s, with one request each', name => {
    expect(seen[name]?.pull).toBe('done')
    for (const [asked, times] of Object.entries(seen[name]?.mirror ?? {})) expect([asked, times]).toEqual([asked, 1])
  })

  test.each(Object.entries(costly))('asks %s times six before it goes on', (name, times) => {
    expect(seen[name]?.mirror['GET layer']).toBe(times)
  })

  test('waits for ever for a mirror that says nothing', () => {
    expect(seen['silence']?.pull).toBe('waits')
  })

  test.each(['tag with a digest that nobody has', 'manifest with a turned bit', 'layer with a turned bit'])(
    'a pull fails by a %s, and a later one does not',
    name => {
      expect(seen[name]).toMatchObject({ pull: 'failed', later: 'done' })
      expect(seen[name]?.server['GET layer'] ?? 0).toBe(0)
    },
  )

  test.each(['layer cut, then the rest', 'layer cut, then 404', 'layer cut, then 416'])('resumes: %s', name => {
    expect(seen[name]).toMatchObject({ pull: 'done', mirror: { 'GET layer': 1, 'GET layer range': 1 } })
  })

  test('gives up a layer that is cut again and again without a byte', () => {
    expect(seen['layer cut, and again each time without a byte']).toMatchObject({
      pull: 'failed',
      mirror: { 'GET layer range': 3 },
    })
    expect(seen['layer cut, and again each time after 1000 bytes']?.pull).toBe('done')
  })
})
