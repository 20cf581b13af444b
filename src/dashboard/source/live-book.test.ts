import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Book, bookOf } from '#coordination/account/book.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { permitObject, policyObject } from '../views/testdata/homelab.ts'
import { LiveBook } from './live-book.ts'

const eventObject = (name: string, second: number): KubeObject => ({
  apiVersion: 'events.k8s.io/v1',
  kind: 'Event',
  metadata: { name, namespace: 'media', creationTimestamp: `2025-12-19T13:00:0${second}Z` },
  reason: 'Evicted',
  note: name,
  regarding: { kind: 'Pod', namespace: 'media', name: 'sonarr', uid: 'u' },
})

/** Objects by a name and a version: some of each kind, some that are not what their kind says. */
function objectOf(slot: number, version: number): KubeObject {
  const name = `x${slot}`
  if (slot < 3) return permitObject({ name, workload: `ns${slot}/Deployment/web`, key: `key-${version}` })
  if (slot === 3) return { ...permitObject({ name }), spec: { class: version } }
  if (slot === 4) return policyObject({ timeZone: version % 2 === 0 ? 'UTC' : 'Europe/Berlin' })
  return eventObject(name, (slot * 3 + version) % 10)
}

const told = ({ permits, plans, policies, events, problems }: Book) => ({
  permits,
  plans,
  policies,
  events: events.map(event => JSON.stringify(event)).toSorted(),
  times: events.map(({ atMs }) => atMs),
  problems: problems.map(problem => JSON.stringify(problem)).toSorted(),
})

describe('book kept object by object', () => {
  test('is what is read of all objects at once, whatever came and went', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: 0, max: 7 }), fc.integer({ min: 0, max: 3 }), fc.boolean(), fc.boolean()), {
          maxLength: 40,
        }),
        changes => {
          const book = new LiveBook()
          const objects = new Map<number, KubeObject>()
          for (const [slot, version, isGone, isAsked] of changes) {
            const object = objectOf(slot, version)
            if (isGone) objects.delete(slot)
            else objects.set(slot, object)
            book.change({ isGone, object })
            if (isAsked) expect(told(book.book())).toEqual(told(bookOf([...objects.values()])))
          }
          expect(told(book.book())).toEqual(told(bookOf([...objects.values()])))
          expect(book.book()).toBe(book.book())
          expect(book.ledger.all()).toHaveLength([...objects.keys()].filter(slot => slot < 3).length)
        },
      ),
    )
  })

  test('a change of one kind leaves the lists of the others as they are', () => {
    const book = new LiveBook()
    for (const slot of [0, 1, 4, 5]) book.change({ isGone: false, object: objectOf(slot, 0) })
    const before = book.book()
    book.change({ isGone: false, object: objectOf(5, 1) })
    const after = book.book()
    expect(after.permits).toBe(before.permits)
    expect(after.policies).toBe(before.policies)
    expect(after.events).not.toBe(before.events)
  })
})
