// DisruptionPermits as the API server keeps them: what may be edited, and what stays as it was granted.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type DisruptionPermit, disruptionPermits } from '#coordination/api.ts'
import { ballastKinds } from '#coordination/kinds.ts'
import { type Api, openApi } from '#kube/client/api.ts'
import { VirtualClock } from '#kube/clock.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { StatusError } from '#kube/objects/status.ts'
import { startTwin, type Twin } from '#twin/twin.ts'

const { signal } = new AbortController()
const startMs = Date.parse('2026-03-02T04:00:00Z')
let twin: Twin
let api: Api

beforeAll(async () => {
  const clock = new VirtualClock(startMs)
  twin = await startTwin({ clock, objects: [] })
  api = openApi(twin.transport({ admin: true }), { clock, userAgent: 'test' })
  for (const { definition } of ballastKinds)
    if (definition !== undefined) await api.resource<KubeObject>(builtIn.customresourcedefinitions).create(definition, { signal })
})

afterAll(async () => {
  await api.close()
  await twin.stop()
})

const at = (offsetMs: number) => new Date(startMs + offsetMs).toISOString()
const joined = (key: string) => ({
  requester: 'rightsize',
  class: 'capacity' as const,
  verb: 'resize' as const,
  purpose: 'resize' as const,
  reasons: [],
  idempotencyKey: key,
})

function permit(name: string): DisruptionPermit {
  return {
    apiVersion: 'ballast.dev/v1alpha1',
    kind: 'DisruptionPermit',
    metadata: { name, namespace: 'default' },
    spec: {
      requester: 'reload',
      class: 'correctness',
      verb: 'restart',
      purpose: 'reload',
      targets: [{ apiVersion: 'apps/v1', kind: 'Deployment', namespace: 'default', name: 'cart', uid: 'u' }],
      workload: 'default/Deployment/cart',
      reasons: [],
      idempotencyKey: 'k',
      change: { annotations: { hash: 'a' } },
      nodes: [],
      joined: [joined('one')],
      deadline: at(900_000),
      siblings: [],
      grant: { token: 7, at: at(0), expiresAt: at(600_000) },
    },
  }
}

const permits = () => api.resource<DisruptionPermit>(disruptionPermits)

/** The server's answer to a merge patch: the fields that it names as wrong, none when it takes it. */
async function answerTo(name: string, body: object, subresource?: string): Promise<string> {
  try {
    const options = { namespace: 'default', signal, ...(subresource === undefined ? {} : { subresource }) }
    await permits().patch(name, { type: 'merge', body }, options)
    return 'taken'
  } catch (error) {
    if (error instanceof StatusError) return `${error.code} ${error.message}`
    throw error
  }
}

describe('a permit that is granted', () => {
  test.each<[string, object, RegExp]>([
    ['its grant', { spec: { grant: { token: 9 } } }, /^422 .*grant cannot be changed once it is there/],
    ['its grant taken away', { spec: { grant: null } }, /^422 .*grant cannot be changed/],
    ['its time', { spec: { grant: { expiresAt: at(9_000_000) } } }, /^422 .*grant cannot be changed/],
    ['its targets', { spec: { targets: [{ apiVersion: 'v1', kind: 'Pod', name: 'p' }] } }, /^422 .*targets cannot be changed/],
    ['its workload', { spec: { workload: 'default/Deployment/other' } }, /^422 .*workload cannot be changed/],
    ['its workload taken away', { spec: { workload: null } }, /^422 .*workload cannot be changed/],
    ['its key', { spec: { idempotencyKey: 'other' } }, /^422 .*idempotencyKey cannot be changed/],
    ['its requester', { spec: { requester: 'other' } }, /^422 .*requester cannot be changed/],
    ['its change', { spec: { change: { annotations: { hash: 'b' } } } }, /^422 .*change cannot be changed/],
    ['a passenger taken away', { spec: { joined: [] } }, /^422 .*joined may only grow/],
    ['a passenger exchanged', { spec: { joined: [joined('two')] } }, /^422 .*joined may only grow/],
    ['a passenger added', { spec: { joined: [joined('one'), joined('two')] } }, /^taken$/],
    ['a label', { metadata: { labels: { team: 'shop' } } }, /^taken$/],
  ])('%s', async (what, body, expected) => {
    const name = `granted-${what.replaceAll(' ', '-')}`
    await permits().create(permit(name), { signal })
    expect(await answerTo(name, body)).toMatch(expected)
  })

  test('is released once', async () => {
    await permits().create(permit('released'), { signal })
    const status = { decision: 'Granted', releasedAt: at(60_000), ending: 'done' }
    expect(await answerTo('released', { status }, 'status')).toBe('taken')
    expect(await answerTo('released', { status: { releasedAt: at(90_000) } }, 'status')).toMatch(
      /^422 .*releasedAt cannot be changed once it is there/,
    )
    expect(await answerTo('released', { status: { releasedAt: null } }, 'status')).toMatch(/^422 .*releasedAt cannot be changed/)
    expect(await answerTo('released', { status: { ending: 'failed' } }, 'status')).toMatch(/^422 .*ending cannot be changed/)
    expect(await answerTo('released', { status: { landing: 'expected' } }, 'status')).toBe('taken')
  })
})

test('a request gets its grant and its workload once', async () => {
  const { grant, workload, ...asked } = permit('asked').spec
  await permits().create({ ...permit('asked'), spec: asked }, { signal })
  expect(await answerTo('asked', { spec: { grant, workload, siblings: ['a'] } })).toBe('taken')
  expect(await answerTo('asked', { spec: { grant: { token: 8 } } })).toMatch(/^422 /)
})
