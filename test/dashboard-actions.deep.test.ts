// The actions of the dashboard against an API server.
import { describe, expect, test } from 'vitest'
import { openActions } from '#dashboard/actions/actions.ts'
import { meaningOf } from '#dashboard/actions/testdata/kubectl-meaning.ts'
import { pictureOf } from '#dashboard/views/testdata/homelab.ts'
import { openApi } from '#kube/client/api.ts'
import { hostClock, VirtualClock } from '#kube/clock.ts'
import type { KubeObject, Node } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { seededRandom } from '#kube/random.ts'
import { startMs, testNodes } from '#twin/components/cluster-for-tests.ts'
import { startTwin } from '#twin/twin.ts'
import { PrintedSite, printedActions } from './printed-actions.ts'

const verbs = { patch: 'PATCH', create: 'POST', delete: 'DELETE' } as const
const plurals: Readonly<Record<string, string>> = {
  namespace: '/api/v1/namespaces',
  node: '/api/v1/nodes',
  deployment: '/apis/apps/v1/namespaces/shop/deployments',
  rebalanceplan: '/apis/ballast.dev/v1alpha1/rebalanceplans',
  rebalancepolicy: '/apis/ballast.dev/v1alpha1/rebalancepolicies',
  twinclock: '/apis/ballast.dev/v1alpha1/twinclocks',
  twinfault: '/apis/ballast.dev/v1alpha1/twinfaults',
}

describe('a printed line, as a shell and kubectl read it, leaves behind what the action does', async () => {
  const site = await PrintedSite.start()
  /** As kubectl does it. */
  const run = async (line: string) => {
    const { verb, kind, name, body } = meaningOf(line)
    const place = plurals[kind]
    if (place === undefined) throw new Error(`no such kind: ${kind}`)
    const answer = await site.twin.transport({ admin: true }).request({
      verb: verbs[verb],
      path: verb === 'create' ? place : `${place}/${name}`,
      headers:
        verb === 'delete' ? {} : { 'content-type': verb === 'patch' ? 'application/merge-patch+json' : 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(120_000),
      priority: 'effect',
    })
    if (answer.status >= 300) throw new Error(`${line}: ${answer.status} ${new TextDecoder().decode(answer.body)}`)
  }

  test.each(printedActions)('$action $body', async row => {
    expect(await site.compare(row, run)).toBe('')
  })
})

describe('on a twin', () => {
  const scope = { kind: 'Deployment', namespace: 'shop', name: 'web' }

  test('who lacks the right is told which, and nothing is written (D24)', async () => {
    await using site = await PrintedSite.start()
    await site.api
      .resource(builtIn.serviceaccounts)
      .create(
        { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'reader', namespace: 'shop' } },
        { signal: new AbortController().signal },
      )
    const token = await site.twin.issueToken({ namespace: 'shop', serviceAccount: 'reader', seconds: 3_600 })
    const reader = openApi(site.twin.transport({ token }), { clock: hostClock(), userAgent: 'reader' })
    const before = site.twin.requests.total
    expect(await site.perform('pause', { plan: 'small-0' }, reader)).toEqual({
      status: 403,
      code: 'action-forbidden',
      message: 'Your account lacks patch on rebalanceplans (ballast.dev).',
      remedy: 'ask for that right',
    })
    const written = site.twin.requests.entries.slice(before).filter(({ verb, code }) => verb !== 'get' && code < 300)
    expect(written.filter(({ verb }) => verb !== 'list')).toEqual([])
  })

  test('what was done is told by an Event on the object, in the name of whoever did it', async () => {
    const site = await PrintedSite.start()
    await site.perform('pause', { plan: 'small-0', reason: 'dinner' })
    await site.perform('freeze', { scope, reason: 'audit' })
    await site.perform('thaw', { scope })
    await site.perform('freeze', { scope: null })
    await site.closeActions()
    const { items } = await site.api.resource<KubeObject>(builtIn.events).list({ signal: new AbortController().signal })
    const told = items.map(event => `${event.metadata.namespace} ${event['reason']} ${event['note']}`).toSorted()
    expect(told).toEqual([
      'default Frozen by anna',
      'default PlanPaused by anna: dinner',
      'shop Frozen by anna: audit',
      'shop Thawed by anna',
    ])
    await site[Symbol.asyncDispose]()
  })

  test('an API server that answers 500 is healed by the page, and by time that the page lets pass', async () => {
    await using site = await PrintedSite.start()
    const { signal } = new AbortController()
    const isAway = () =>
      site.api
        .resource(builtIn.nodes)
        .list({ signal, timeoutMs: 1_000 })
        .then(
          () => false,
          () => true,
        )
    expect(await site.perform('twin/fault', { fault: { kind: 'server-errors', minutes: 5 } })).toMatchObject({ done: true })
    expect(await isAway()).toBe(true)
    expect(await site.perform('twin/advance', { advanceMs: 301_000 })).toMatchObject({ done: true })
    await expect.poll(isAway).toBe(false)
    expect(await site.perform('twin/heal', { name: 'page-1' })).toMatchObject({ done: true })
    expect(await site.perform('twin/fault', { fault: { kind: 'server-errors' } })).toMatchObject({ done: true })
    expect(await isAway()).toBe(true)
    expect(await site.perform('twin/heal', { name: 'page-1' })).toMatchObject({ done: true })
    expect(await isAway()).toBe(false)
  })

  test('a node that is stopped comes back when its time is over', async () => {
    const clock = new VirtualClock(startMs)
    await using twin = await startTwin({ clock, seed: 1, objects: testNodes(2), ownKinds: true })
    const api = openApi(twin.transport({ admin: true }), { clock, userAgent: 'test' })
    const actions = openActions({ random: seededRandom(1) })
    const { signal } = new AbortController()
    const { items } = await api.resource<Node>(builtIn.nodes).list({ signal })
    const picture = pictureOf(items.map(item => ({ ...item, apiVersion: 'v1', kind: 'Node' })))
    const fault = { kind: 'stop-node', node: 'n1', minutes: 5 }
    await actions.perform('twin/fault', { revision: 'e1.1', fault }, { viewer: 'local', api, picture })
    const ready = () =>
      twin.access.list('nodes').map(({ metadata, ...rest }) => {
        const { conditions = [] } = (rest as Partial<Node>).status ?? {}
        return `${metadata.name} ${conditions.find(({ type }) => type === 'Ready')?.status}`
      })
    await clock.advance(120_000)
    expect(ready()).toEqual(['n1 Unknown', 'n2 True'])
    await clock.advance(300_000)
    expect(ready()).toEqual(['n1 True', 'n2 True'])
  })
})
