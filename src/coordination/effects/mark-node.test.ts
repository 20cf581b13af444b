// Several taints and annotations of a node in one write, decided on what the server has.
import { expect, test } from 'vitest'
import { type Answer, failure, grantedPermit, scripted } from '../testdata/scripted-api.ts'
import { markNode, unmarkNode } from './taint.ts'

const { signal } = new AbortController()
const n1 = { apiVersion: 'v1', kind: 'Node', name: 'n1' }
const reading = 'GET /api/v1/nodes/n1'
const patching = 'PATCH /api/v1/nodes/n1'
const own = { key: 'ballast.dev/agent-not-ready', value: 'mirror', effect: 'NoSchedule' }
const others = { key: 'example.com/gpu', effect: 'NoExecute' }

function node(version: string, taints: readonly object[], metadata: object = {}): Answer {
  return {
    status: 200,
    body: { kind: 'Node', metadata: { name: 'n1', uid: 'u', resourceVersion: version, ...metadata }, spec: { taints } },
  }
}

const bodies = (server: ReturnType<typeof scripted>) =>
  server.asked.filter(({ verb }) => verb === 'PATCH').map(({ body }) => JSON.parse(String(body)))

test('a taint goes and an annotation comes in one patch; what others wrote meanwhile stays', async () => {
  const server = scripted({
    [reading]: [node('5', [own]), node('6', [own, others])],
    [patching]: [failure(409, 'Conflict', 'old'), node('7', [others])],
  })
  const marks = () => ({ add: [], remove: [own], annotations: { done: 'yes', gone: null } })
  const outcome = await unmarkNode(server.context, { node: 'n1', uid: 'u', requester: 'readiness', marks }, signal)
  expect(outcome.kind).toBe('written')
  expect(bodies(server)[1]).toEqual({
    metadata: { resourceVersion: '6', annotations: { done: 'yes', gone: null } },
    spec: { taints: [others] },
  })
})

test('what is to be written is asked of the node as it is now', async () => {
  const server = scripted({ [reading]: [node('5', [own], { annotations: { done: 'yes' } })] })
  const marks = (now: { readonly metadata: { readonly annotations?: Readonly<Record<string, string>> } }) =>
    now.metadata.annotations?.['done'] === undefined ? { add: [own], remove: [], annotations: {} } : undefined
  const permit = grantedPermit(server, { targets: [n1], verb: 'taint' })
  expect((await markNode(server.context, permit, { node: 'n1', uid: 'u', marks }, signal)).kind).toBe('unchanged')
})

test.each([
  ['of another UID', node('5', [own], { uid: 'another' })],
  ['on its way out', node('5', [own], { deletionTimestamp: '2026-03-02T04:00:00Z' })],
  ['gone', failure(404, 'NotFound', 'no such node')],
])('a node %s is left alone', async (_, answer) => {
  const server = scripted({ [reading]: [answer] })
  const marks = () => ({ add: [], remove: [own], annotations: {} })
  expect((await unmarkNode(server.context, { node: 'n1', uid: 'u', requester: 'readiness', marks }, signal)).kind).toBe('gone')
  expect(bodies(server)).toEqual([])
})

test('without a permit no taint comes, but its value may change', async () => {
  const server = scripted({ [reading]: [node('5', [own])], [patching]: [node('6', [own])] })
  const change = (taint: typeof own) =>
    unmarkNode(
      server.context,
      { node: 'n1', uid: 'u', requester: 'readiness', marks: () => ({ add: [taint], remove: [], annotations: {} }) },
      signal,
    )
  await expect(change({ ...own, effect: 'NoExecute' })).rejects.toThrow('taint ballast.dev/agent-not-ready on n1 needs a permit')
  expect((await change({ ...own, value: 'cni' })).kind).toBe('written')
  expect(bodies(server)).toEqual([{ metadata: { resourceVersion: '5' }, spec: { taints: [{ ...own, value: 'cni' }] } }])
})
