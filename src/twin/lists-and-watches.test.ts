import { describe, expect, test } from 'vitest'
import { textAt, valueAt } from './json-value.ts'
import { itemNames, startTestTwin, testConfigMap, testPod } from './twin-for-tests.ts'

const core = '/api/v1/namespaces/default'

describe('pages', () => {
  test('go on where they stopped, at the revision they began with', async () => {
    await using twin = await startTestTwin([testConfigMap('cm-1'), testConfigMap('cm-2'), testConfigMap('cm-3')])
    const first = await twin.client.get(`${core}/configmaps?limit=1`)
    const revision = twin.twin.access.revision
    expect(itemNames(first.body)).toEqual(['cm-1'])
    expect(valueAt(first.body, 'metadata')).toMatchObject({ resourceVersion: String(revision), remainingItemCount: 2 })
    const token = textAt(first.body, 'metadata', 'continue') ?? ''
    expect(JSON.parse(Buffer.from(token, 'base64url').toString())).toEqual({
      v: 'meta.k8s.io/v1',
      rv: revision,
      start: 'cm-1\u0000',
    })
    await twin.client.call('DELETE', `${core}/configmaps/cm-2`)
    await twin.client.post(`${core}/configmaps`, testConfigMap('cm-4'))
    const second = await twin.client.get(`${core}/configmaps`, { query: { continue: token } })
    expect(itemNames(second.body)).toEqual(['cm-2', 'cm-3'])
    expect(valueAt(second.body, 'metadata', 'resourceVersion')).toBe(String(revision))
  })

  test('over all namespaces name the namespace', async () => {
    await using twin = await startTestTwin([testConfigMap('cm-1'), testConfigMap('cm-2')])
    const first = await twin.client.get('/api/v1/configmaps?limit=1')
    const token = Buffer.from(textAt(first.body, 'metadata', 'continue') ?? '', 'base64url').toString()
    expect(JSON.parse(token)).toMatchObject({ start: 'default/cm-1\u0000' })
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
    { query: 'limit=x', status: 400, text: 'limit' },
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
  test('from a forgotten revision: 200 and one ERROR event', async () => {
    await using twin = await startTestTwin([], { historyLimit: 4 })
    for (let count = 0; count < 10; count++) await twin.client.post(`${core}/configmaps`, testConfigMap(`cm-${count}`))
    using watch = await twin.client.watch(`${core}/configmaps`, { resourceVersion: '5' })
    const [event, after] = await watch.next(2)
    expect(event?.type).toBe('ERROR')
    expect(event?.object).toMatchObject({ kind: 'Status', status: 'Failure', reason: 'Expired', code: 410 })
    expect(textAt(event?.object, 'message')).toMatch(/^too old resource version: 5 \(\d+\)$/)
    expect(after).toBeUndefined()
  })

  test('sendInitialEvents needs resourceVersionMatch', async () => {
    await using twin = await startTestTwin()
    const answer = await twin.client.get(`${core}/pods?watch=true&sendInitialEvents=true`)
    expect(answer.status).toBe(422)
    expect(answer.message).toContain('sendInitialEvents requires setting resourceVersionMatch to NotOlderThan')
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
    const changed = await twin.client.patch(`${core}/pods/p`, 'merge', { metadata: { labels: { a: 'c' } } })
    const [event] = await watch.next(1)
    expect(event?.type).toBe('DELETED')
    expect(valueAt(event?.object, 'metadata', 'labels')).toEqual({ a: 'b' })
    expect(valueAt(event?.object, 'metadata', 'resourceVersion')).toBe(textAt(changed.body, 'metadata', 'resourceVersion'))
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
