import { describe, expect, test } from 'vitest'
import { itemsAt, textAt, valueAt } from './json-value.ts'
import { itemNames, startTestTwin, testConfigMap, testPod } from './twin-for-tests.ts'

const core = '/api/v1/namespaces/default'

/** Writes until the revision is this one. */
async function reach({ twin, client }: Awaited<ReturnType<typeof startTestTwin>>, revision: number): Promise<void> {
  for (;;) {
    const missing = revision - twin.access.revision
    if (missing === 0) return
    if (missing < 0) throw new Error(`the twin is at ${twin.access.revision} already`)
    await client.patch('/api/v1/namespaces/kube-public', 'merge', { metadata: { labels: { missing: String(missing) } } })
  }
}

async function threeMaps() {
  const twin = await startTestTwin()
  await reach(twin, 117)
  for (const name of ['cm-1', 'cm-2', 'cm-3']) await twin.client.post(`${core}/configmaps`, testConfigMap(name))
  return twin
}

const firstToken = 'eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MTIwLCJzdGFydCI6ImNtLTFcdTAwMDAifQ'

describe('pages', () => {
  test('name where they go on, at which revision, and how much is left (case 6)', async () => {
    await using twin = await threeMaps()
    const first = await twin.client.get(`${core}/configmaps?limit=1`)
    expect(itemNames(first.body)).toEqual(['cm-1'])
    const metadata = { resourceVersion: '120', continue: firstToken, remainingItemCount: 2 }
    expect(valueAt(first.body, 'metadata')).toEqual(metadata)
    const everywhere = await twin.client.get('/api/v1/configmaps?limit=1')
    const token = Buffer.from(textAt(everywhere.body, 'metadata', 'continue') ?? '', 'base64url').toString()
    expect(JSON.parse(token)).toEqual({ v: 'meta.k8s.io/v1', rv: 120, start: 'default/cm-1\u0000' })
  })

  test('go on at the revision they began with, until it is forgotten (case 7)', async () => {
    await using twin = await threeMaps()
    await twin.client.call('DELETE', `${core}/configmaps/cm-2`)
    await twin.client.post(`${core}/configmaps`, testConfigMap('cm-4'))
    const next = (token: string) => twin.client.get(`${core}/configmaps`, { query: { continue: token } })
    const second = await next(firstToken)
    expect(itemNames(second.body)).toEqual(['cm-2', 'cm-3'])
    expect(valueAt(second.body, 'metadata', 'resourceVersion')).toBe('120')
    expect(twin.twin.access.revision).toBe(122)
    twin.twin.fault({ compact: { keepRevisions: 0 } })
    const refused = await next(firstToken)
    expect(refused.body).toMatchObject({ code: 410, reason: 'Expired' })
    const token = textAt(refused.body, 'metadata', 'continue') ?? ''
    expect(JSON.parse(Buffer.from(token, 'base64url').toString())).toMatchObject({ rv: -1, start: 'cm-1\u0000' })
    expect(itemNames((await next(token)).body)).toEqual(['cm-3', 'cm-4'])
  })

  test('of a forgotten revision are refused with a token that goes on from now', async () => {
    await using twin = await startTestTwin([testConfigMap('cm-1'), testConfigMap('cm-2')], { historyLimit: 4 })
    const first = await twin.client.get(`${core}/configmaps?limit=1`)
    for (let count = 0; count < 10; count++) await twin.client.post(`${core}/configmaps`, testConfigMap(`cm-${3 + count}`))
    const refused = await twin.client.get(`${core}/configmaps`, {
      query: { continue: textAt(first.body, 'metadata', 'continue') ?? '' },
    })
    expect(refused.status).toBe(410)
    expect(refused.message).toContain('The provided continue parameter is too old to display a consistent list result.')
    const token = textAt(refused.body, 'metadata', 'continue') ?? ''
    const rest = await twin.client.get(`${core}/configmaps`, { query: { continue: token } })
    expect(itemNames(rest.body)).toHaveLength(11)
    expect(itemNames(rest.body)).not.toContain('cm-1')
  })

  test.each([
    { query: 'continue=abc', status: 400, text: 'continue key is not valid' },
    { query: 'sendInitialEvents=true', status: 422, text: 'sendInitialEvents is forbidden for list' },
    {
      query: 'resourceVersionMatch=Exact',
      status: 422,
      text: 'resourceVersionMatch is forbidden unless resourceVersion is provided',
    },
    { query: 'resourceVersion=0&resourceVersionMatch=Exact', status: 422, text: 'forbidden for resourceVersion "0"' },
    { query: 'fieldSelector=spec.foo=1', status: 400, text: 'field label not supported: spec.foo' },
    { query: 'labelSelector=a in (', status: 400, text: 'unable to parse requirement' },
    { query: 'limit=x', status: 400, text: 'parsing "x": invalid syntax' },
  ])('$query → $status', async ({ query, status, text }) => {
    await using twin = await startTestTwin()
    const answer = await twin.client.get(`${core}/pods?${query}`)
    expect(answer.status).toBe(status)
    expect(answer.message).toContain(text)
  })

  test('selectors by field and label', async () => {
    await using twin = await startTestTwin([testPod('a', { node: 'n1' }), testPod('b', { node: 'n2', labels: { app: 'x' } })])
    expect(itemNames((await twin.client.get(`${core}/pods?fieldSelector=spec.nodeName%3Dn2`)).body)).toEqual(['b'])
    expect(
      itemNames((await twin.client.get(`${core}/pods?fieldSelector=spec.nodeName!%3Dn2,status.phase%3DRunning`)).body),
    ).toEqual(['a'])
    expect(itemNames((await twin.client.get(`${core}/pods?labelSelector=app%3Dx`)).body)).toEqual(['b'])
  })
})

describe('watches', () => {
  test('from a forgotten revision: 200 and one ERROR event (case 8)', async () => {
    await using twin = await startTestTwin()
    await reach(twin, 100)
    twin.twin.fault({ compact: { keepRevisions: 0 } })
    await reach(twin, 110)
    using watch = await twin.client.watch(`${core}/configmaps`, { resourceVersion: '5' })
    expect(await watch.next(2)).toEqual([
      {
        type: 'ERROR',
        object: {
          kind: 'Status',
          apiVersion: 'v1',
          metadata: {},
          status: 'Failure',
          message: 'too old resource version: 5 (100)',
          reason: 'Expired',
          code: 410,
        },
      },
    ])
  })

  test('sendInitialEvents needs resourceVersionMatch', async () => {
    await using twin = await startTestTwin()
    const answer = await twin.client.get(`${core}/pods?watch=true&sendInitialEvents=true`)
    expect(answer.status).toBe(422)
    const message = 'sendInitialEvents requires setting resourceVersionMatch to NotOlderThan'
    expect(answer.message).toContain(message)
    const [cause] = itemsAt(answer.body, 'details', 'causes')
    expect(cause).toMatchObject({ field: 'resourceVersionMatch', message: expect.stringContaining(message) })
  })

  test('the initial state ends with an annotated bookmark', async () => {
    await using twin = await startTestTwin([testPod('a'), testPod('b')])
    const query = { sendInitialEvents: 'true', resourceVersionMatch: 'NotOlderThan', allowWatchBookmarks: 'true' }
    using watch = await twin.client.watch(`${core}/pods`, query)
    const events = await watch.next(3)
    expect(events.map(event => event.type)).toEqual(['ADDED', 'ADDED', 'BOOKMARK'])
    expect(valueAt(events[2]?.object, 'metadata', 'annotations')).toEqual({ 'k8s.io/initial-events-end': 'true' })
    await twin.client.post(`${core}/pods`, testPod('c'))
    const [next] = await watch.next(1)
    expect([next?.type, valueAt(next?.object, 'metadata', 'name')]).toEqual(['ADDED', 'c'])
  })

  test('leaving the selector is DELETED with the old object and the new revision', async () => {
    await using twin = await startTestTwin([testPod('p', { labels: { a: 'b' } })])
    using watch = await twin.client.watch(`${core}/pods`, { labelSelector: 'a=b' })
    await watch.next(1)
    await reach(twin, 199)
    await twin.client.patch(`${core}/pods/p`, 'merge', { metadata: { labels: { a: 'c' } } })
    const [event] = await watch.next(1)
    expect(event?.type).toBe('DELETED')
    expect(valueAt(event?.object, 'metadata', 'labels')).toEqual({ a: 'b' })
    expect(valueAt(event?.object, 'metadata', 'resourceVersion')).toBe('200')
  })

  test('a list and the changes after it make the next list', async () => {
    await using twin = await startTestTwin([testConfigMap('a'), testConfigMap('b')])
    const before = await twin.client.get(`${core}/configmaps`)
    await twin.client.call('DELETE', `${core}/configmaps/a`)
    await twin.client.patch(`${core}/configmaps/b`, 'merge', { data: { x: 'y' } })
    await twin.client.post(`${core}/configmaps`, testConfigMap('c'))
    using watch = await twin.client.watch(`${core}/configmaps`, {
      resourceVersion: textAt(before.body, 'metadata', 'resourceVersion') ?? '',
    })
    const events = await watch.next(3)
    expect(events.map(event => [event.type, valueAt(event.object, 'metadata', 'name')])).toEqual([
      ['DELETED', 'a'],
      ['MODIFIED', 'b'],
      ['ADDED', 'c'],
    ])
  })
})
