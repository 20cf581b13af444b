// Lists and watches that are too long for one turn, and many watchers at once.
import fc from 'fast-check'
import { describe, expect, test, vi } from 'vitest'
import { fieldsAt, itemsAt, textAt, valueAt } from './json-value.ts'
import { itemNames, startTestTwin, testConfigMap } from './twin-for-tests.ts'

const path = '/api/v1/namespaces/default/configmaps'
const table = 'application/json;as=Table;g=meta.k8s.io;v=v1'
const partial = 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1'

const many = (count: number) =>
  Array.from({ length: count }, (_, index) => {
    const map = testConfigMap(`cm-${String(index).padStart(5, '0')}`)
    return { ...map, metadata: { ...map.metadata, labels: { odd: String(index % 2 === 1) } } }
  })

describe('a list written piece by piece', () => {
  test.each([
    ['objects', {}, 'items'],
    ['a table', { accept: table }, 'rows'],
    ['metadata', { accept: partial }, 'items'],
    ['indented', { headers: { 'user-agent': 'curl/8' } }, 'items'],
  ] as const)('says the same as one written at once: %s', async (_form, options, field) => {
    await using long = await startTestTwin(many(700))
    await using short = await startTestTwin(many(40))
    const whole = await long.client.get(`${path}?limit=650`, options)
    const part = await short.client.get(path, options)
    const listed = itemsAt(whole.body, field)
    expect(listed).toHaveLength(650)
    expect(listed.slice(0, 40).map(shapeOf)).toEqual(itemsAt(part.body, field).map(shapeOf))
    expect(Object.keys(fieldsAt(whole.body) ?? {})).toEqual(Object.keys(fieldsAt(part.body) ?? {}))
    expect(valueAt(whole.body, 'metadata', 'remainingItemCount')).toBe(50)
  })

  test.each([{}, { accept: table }, { accept: partial }])('is indented as one document is: %o', async ({ accept }) => {
    await using twin = await startTestTwin(many(300))
    const headers = { 'user-agent': 'curl/8', ...(accept === undefined ? {} : { accept }) }
    const { text, body } = await twin.client.get(path, { headers })
    expect(text).toBe(`${JSON.stringify(body, null, 2)}\n`)
  })

  test.each([{ headers: { 'user-agent': 'curl/8' } }, { headers: { 'user-agent': 'go' } }, { headers: { accept: table } }])(
    'writes each object once and reads none: %o',
    async ({ headers }) => {
      const count = 650
      await using twin = await startTestTwin(many(count))
      const written = vi.spyOn(JSON, 'stringify')
      const read = vi.spyOn(JSON, 'parse')
      try {
        await twin.client.get(path, { headers })
        // The list's head, and what the client reads of it.
        expect(written.mock.calls.length).toBeLessThan(count + 10)
        expect(read.mock.calls.length).toBeLessThan(10)
      } finally {
        written.mockRestore()
        read.mockRestore()
      }
    },
  )

  test('is as of the time it was asked for, whatever is written while it is read', async () => {
    await using twin = await startTestTwin(many(600))
    const listing = twin.client.get(path)
    await twin.client.call('DELETE', `${path}/cm-00599`)
    const list = await listing
    expect([599, 600]).toContain(itemNames(list.body).length)
    expect(Number(textAt(list.body, 'metadata', 'resourceVersion'))).toBeLessThanOrEqual(twin.twin.access.revision)
    expect(itemNames((await twin.client.get(path)).body)).toHaveLength(599)
  })

  test('gives each selected object once over its pages, while others come and go', async () => {
    await using twin = await startTestTwin(many(900))
    const names: string[] = []
    let token = ''
    let page = 0
    do {
      const { body } = await twin.client.get(`${path}?limit=100&labelSelector=odd%3Dtrue`, { query: { continue: token } })
      names.push(...itemNames(body))
      token = textAt(body, 'metadata', 'continue') ?? ''
      await twin.client.post(path, testConfigMap(`aa-${page}`))
      await twin.client.call('DELETE', `${path}/cm-0000${page * 2 + 1}`)
      page++
    } while (token !== '')
    expect(names).toEqual(
      many(900)
        .filter(({ metadata }) => metadata.labels.odd === 'true')
        .map(({ metadata }) => metadata.name),
    )
  })
})

const shapeOf = (value: unknown) =>
  JSON.stringify(value).replaceAll(/"(uid|resourceVersion|time|creationTimestamp)":"[^"]*"/g, '"$1":""')

describe('a watch that starts with much', () => {
  test('has all that was, then its bookmark, then what came meanwhile, each once', async () => {
    await using twin = await startTestTwin(many(500))
    const query = { sendInitialEvents: 'true', resourceVersionMatch: 'NotOlderThan', allowWatchBookmarks: 'true' }
    using watch = await twin.client.watch(path, query)
    await twin.client.call('DELETE', `${path}/cm-00007`)
    await twin.client.post(path, testConfigMap('new'))
    const events = await watch.next(503)
    expect(events.slice(0, 500).every(({ type }) => type === 'ADDED')).toBe(true)
    expect(events.slice(500).map(({ type, object }) => [type, textAt(object, 'metadata', 'name')])).toEqual([
      ['BOOKMARK', undefined],
      ['DELETED', 'cm-00007'],
      ['ADDED', 'new'],
    ])
  })

  test('from a revision long ago has every change since, and goes on', async () => {
    await using twin = await startTestTwin(many(3))
    const revision = String(twin.twin.access.revision)
    for (let count = 0; count < 600; count++)
      await twin.client.patch(`${path}/cm-0000${count % 3}`, 'merge', { data: { count: String(count) } })
    using watch = await twin.client.watch(path, { resourceVersion: revision })
    await twin.client.patch(`${path}/cm-00000`, 'merge', { data: { count: 'last' } })
    const events = await watch.next(601)
    expect(events.map(({ object }) => textAt(object, 'data', 'count'))).toEqual([
      ...Array.from({ length: 600 }, (_, count) => String(count)),
      'last',
    ])
  })
})

test('a list, and the events after its revision, are the list later on: whatever selector, place and pages', async () => {
  const step = fc.record({
    name: fc.constantFrom('a', 'b', 'c', 'd'),
    namespace: fc.constantFrom('default', 'kube-system'),
    does: fc.constantFrom('put', 'put', 'label', 'delete'),
    odd: fc.boolean(),
  })
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 1, maxLength: 25 }),
      fc.array(step, { minLength: 1, maxLength: 25 }),
      fc.constantFrom('', 'labelSelector=odd%3Dtrue', 'labelSelector=odd', 'fieldSelector=metadata.name%3Da'),
      fc.constantFrom('/api/v1/configmaps', path),
      fc.integer({ min: 0, max: 3 }),
      async (before, after, selector, place, limit) => {
        await using twin = await startTestTwin([], { components: false })
        const write = async ({ name, namespace, does, odd }: (typeof before)[number]) => {
          const at = `/api/v1/namespaces/${namespace}/configmaps`
          const map = { ...testConfigMap(name), metadata: { name, namespace, labels: { odd: String(odd) } } }
          if (does === 'delete') await twin.client.call('DELETE', `${at}/${name}`)
          else if (does === 'label')
            await twin.client.patch(`${at}/${name}`, 'merge', { metadata: { labels: odd ? { odd: null } : { odd: 'true' } } })
          else if ((await twin.client.post(at, map)).status === 409) await twin.client.call('PUT', `${at}/${name}`, { body: map })
        }
        const listed = async (perPage: number) => {
          const found = new Map<string, string>()
          let token = ''
          let revision = ''
          do {
            const { body } = await twin.client.get(`${place}?${selector}`, { query: { limit: String(perPage), continue: token } })
            for (const item of itemsAt(body, 'items')) found.set(keyOf(item), textAt(item, 'metadata', 'resourceVersion') ?? '')
            token = textAt(body, 'metadata', 'continue') ?? ''
            revision = textAt(body, 'metadata', 'resourceVersion') ?? ''
          } while (token !== '')
          return { found, revision }
        }
        for (const one of before) await write(one)
        const { found, revision } = await listed(limit)
        using early = await twin.client.watch(`${place}?${selector}`, { resourceVersion: revision })
        for (const one of after) await write(one)
        using late = await twin.client.watch(`${place}?${selector}`, { resourceVersion: revision })
        const last = await listed(3)
        for (const watch of [early, late]) {
          const state = new Map(found)
          // A last change that is seen by everybody, to know the end.
          const marker = `marker-${watch === early ? 'early' : 'late'}`
          await twin.client.post('/api/v1/namespaces/default/configmaps', {
            ...testConfigMap(marker),
            metadata: { name: marker, labels: { odd: 'true' } },
          })
          const isSeen = !selector.startsWith('field')
          for (;;) {
            if (!isSeen && sameMaps(state, last.found)) break
            const [event] = await watch.next(1)
            if (event === undefined) throw new Error('the watch ended')
            if (textAt(event.object, 'metadata', 'name')?.startsWith('marker') === true) {
              if (textAt(event.object, 'metadata', 'name') === marker) break
              continue
            }
            if (event.type === 'DELETED') state.delete(keyOf(event.object))
            else state.set(keyOf(event.object), textAt(event.object, 'metadata', 'resourceVersion') ?? '')
          }
          expect([...state].sort()).toEqual([...last.found].sort())
        }
      },
    ),
    { numRuns: 25 },
  )
})

const keyOf = (object: unknown) => `${textAt(object, 'metadata', 'namespace')}/${textAt(object, 'metadata', 'name')}`

function sameMaps(one: ReadonlyMap<string, string>, other: ReadonlyMap<string, string>): boolean {
  return one.size === other.size && [...one].every(([key, value]) => other.get(key) === value)
}
