import { describe, expect, test } from 'vitest'
import { VirtualClock } from '#kube/clock.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { Store } from '../../store.ts'
import { throwTrouble } from '../../trouble.ts'
import { answerForm } from '../answers/negotiation.ts'
import { ResourceRegistry } from '../resource-registry.ts'
import { selectionOf } from '../selection.ts'
import { eventForm } from './event-text.ts'
import { WatchHub } from './watch-hub.ts'

const pod = (name: string, node: string, labels: Record<string, string> = {}, namespace = 'default'): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace, labels },
  spec: { nodeName: node },
})

function hub() {
  const store = new Store()
  const type = new ResourceRegistry().ofKey('pods')
  if (type === undefined) throw new Error('pods are not served')
  const watches = new WatchHub({ clock: new VirtualClock(0), onTrouble: throwTrouble }, store)
  const join = ({ labels = '', fields = '', namespace = undefined as string | undefined, accept = 'application/json' } = {}) => {
    const lines: Uint8Array[] = []
    let wantsColumns = accept.includes('Table')
    const leave = watches.join(
      {
        form: eventForm(type, answerForm(accept, type), { version: 'v1', includes: 'Metadata', hasColumns: true }),
        namespace,
        selection: selectionOf(type, labels, fields),
        selectionText: `${labels} ${fields}`,
      },
      {
        get wantsColumns() {
          return wantsColumns
        },
        push(line) {
          wantsColumns = false
          lines.push(line)
        },
        fail: error => {
          throw error
        },
      },
    )
    const seen = () =>
      lines.map(line => {
        const event: { readonly type: string; readonly object: { readonly metadata: { readonly name?: string } } } = JSON.parse(
          String(line),
        )
        return `${event.type} ${event.object.metadata.name ?? ''}`.trim()
      })
    return { lines, seen, leave }
  }
  return { store, watches, join }
}

describe('a change', () => {
  test('is written once for a thousand watchers, and once more for each other form', () => {
    const { store, watches, join } = hub()
    const thousand = Array.from({ length: 1_000 }, () => join())
    store.put('pods', pod('a', 'n1'))
    expect(watches.textsMade).toBe(1)
    expect(new Set(thousand.map(({ lines }) => lines[0])).size).toBe(1)
    const tables = Array.from({ length: 10 }, () => join({ accept: 'application/json;as=Table;g=meta.k8s.io;v=v1' }))
    const metadata = Array.from({ length: 10 }, () =>
      join({ accept: 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1' }),
    )
    const selected = Array.from({ length: 10 }, () => join({ labels: 'a=b' }))
    store.put('pods', pod('a', 'n1', { a: 'b' }))
    expect(watches.textsMade).toBe(4)
    for (const { lines } of [...tables, ...metadata, ...selected]) expect(lines).toHaveLength(1)
    // For those selected by labels it is new: another line of the same text.
    expect(selected[0]?.seen()).toEqual(['ADDED a'])
    expect(thousand[0]?.seen()).toEqual(['ADDED a', 'MODIFIED a'])
  })

  test('names the columns of a table to each watcher once', () => {
    const { store, join } = hub()
    const accept = 'application/json;as=Table;g=meta.k8s.io;v=v1'
    const first = join({ accept })
    store.put('pods', pod('a', 'n1'))
    const second = join({ accept })
    store.put('pods', pod('b', 'n1'))
    const named = (lines: readonly Uint8Array[]) => lines.map(line => String(line).includes('"columnDefinitions":['))
    expect(named(first.lines)).toEqual([true, false])
    expect(named(second.lines)).toEqual([true])
  })

  test('reaches those whose namespace, name, node or labels it has or had', () => {
    const { store, join } = hub()
    const watchers = {
      all: join(),
      elsewhere: join({ namespace: 'other' }),
      here: join({ namespace: 'default' }),
      n1: join({ fields: 'spec.nodeName=n1' }),
      n2: join({ fields: 'spec.nodeName=n2' }),
      n1Other: join({ fields: 'spec.nodeName=n1', namespace: 'other' }),
      notN1: join({ fields: 'spec.nodeName!=n1' }),
      b: join({ fields: 'metadata.name=b' }),
    }
    store.put('pods', pod('a', 'n1'))
    store.put('pods', pod('a', 'n2'))
    store.remove('pods', 'default', 'a')
    expect(Object.fromEntries(Object.entries(watchers).map(([name, { seen }]) => [name, seen()]))).toEqual({
      all: ['ADDED a', 'MODIFIED a', 'DELETED a'],
      elsewhere: [],
      here: ['ADDED a', 'MODIFIED a', 'DELETED a'],
      n1: ['ADDED a', 'DELETED a'],
      n2: ['ADDED a', 'DELETED a'],
      n1Other: [],
      notN1: ['ADDED a', 'DELETED a'],
      b: [],
    })
  })

  test('reaches nobody who has left, and whoever comes again', () => {
    const { store, watches, join } = hub()
    const gone = join({ fields: 'spec.nodeName=n1' })
    gone.leave()
    store.put('pods', pod('a', 'n1'))
    expect(gone.lines).toEqual([])
    expect(watches.textsMade).toBe(0)
    const back = join({ fields: 'spec.nodeName=n1' })
    store.put('pods', pod('b', 'n1'))
    expect(back.seen()).toEqual(['ADDED b'])
  })
})
