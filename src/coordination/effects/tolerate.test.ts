import { describe, expect, test } from 'vitest'
import { type Answer, failure, grantedPermit, scripted } from '../testdata/scripted-api.ts'
import { removeTaint, setTaint } from './taint.ts'
import { tolerate } from './tolerate.ts'

const { signal } = new AbortController()
const argocd = { apiVersion: 'apps/v1', kind: 'Deployment', namespace: 'argocd', name: 'argocd', uid: 'uid-1' }
const patching = 'PATCH /apis/apps/v1/namespaces/argocd/deployments/argocd'
const tolerations = [{ key: 'node-role.kubernetes.io/control-plane', operator: 'Exists', effect: 'NoSchedule' }]
const stored: Answer = { status: 200, body: { ...argocd, metadata: { name: 'argocd', namespace: 'argocd', uid: 'uid-1' } } }
const kept = failure(409, 'Conflict', 'Apply failed with 1 conflict', {
  causes: [
    {
      reason: 'FieldManagerConflict',
      message: 'conflict with "kustomize-controller" using apps/v1',
      field: '.spec.template.spec.tolerations',
    },
  ],
})

describe('a toleration', () => {
  // biome-ignore format: a table
  test.each<[string, Answer, object]>([
    ['is applied',                        stored,                                                      { kind: 'applied' }],
    ['is left to whoever keeps the list', kept,                                                        { kind: 'refused', message: 'its tolerations are kept by kustomize-controller: add this one there' }],
    ['finds its workload gone',           failure(404, 'NotFound', 'not found'),                       { kind: 'gone' }],
    ['finds another of that name',        failure(409, 'Conflict', 'uid mismatch'),                    { kind: 'refused', message: 'uid mismatch' }],
    ['is refused by the server',          failure(422, 'Invalid', 'spec.template is wrong'),           { kind: 'refused', message: 'spec.template is wrong' }],
  ])('%s', async (_name, answer, expected) => {
    const server = scripted({ [patching]: [answer] })
    const permit = grantedPermit(server, { targets: [argocd], verb: 'restart' })
    expect(await tolerate(server.context, permit, { workload: argocd, tolerations }, signal)).toMatchObject(expected)
  })

  test('is applied under our own name, with the UID, and never by force', async () => {
    const server = scripted({ [patching]: [stored] })
    await tolerate(
      server.context,
      grantedPermit(server, { targets: [argocd], verb: 'restart' }),
      { workload: argocd, tolerations },
      signal,
    )
    const [asked] = server.asked
    expect(asked?.query?.['force']).not.toBe('true')
    expect(asked?.query?.['fieldManager']).toMatch(/^ballast-/)
    expect(JSON.parse(String(asked?.body))).toMatchObject({
      metadata: { name: 'argocd', uid: 'uid-1' },
      spec: { template: { spec: { tolerations } } },
    })
  })

  test('needs a permit for its workload', async () => {
    const server = scripted({})
    const permit = grantedPermit(server, { targets: [{ ...argocd, name: 'other' }], verb: 'restart' })
    await expect(tolerate(server.context, permit, { workload: argocd, tolerations }, signal)).rejects.toThrow('does not speak of')
    expect(server.asked).toEqual([])
  })
})

describe('a taint with the mark of whose it is', () => {
  const n1 = { apiVersion: 'v1', kind: 'Node', name: 'n1', uid: 'uid-n1' }
  const [reading, writing] = ['GET /api/v1/nodes/n1', 'PATCH /api/v1/nodes/n1']
  const taint = { key: 'node-role.kubernetes.io/control-plane', effect: 'NoSchedule' }
  const mark = 'ballast.dev/isolated-by'
  const node = (taints: readonly object[], annotations: object = {}): Answer => ({
    status: 200,
    body: { kind: 'Node', metadata: { name: 'n1', resourceVersion: '5', annotations }, spec: { taints } },
  })
  const bodies = (server: ReturnType<typeof scripted>) =>
    server.asked.filter(({ verb }) => verb === 'PATCH').map(({ body }): unknown => JSON.parse(String(body)))

  test('is set in one write', async () => {
    const server = scripted({ [reading]: [node([])], [writing]: [node([taint], { [mark]: 'p' })] })
    const permit = grantedPermit(server, { targets: [n1], verb: 'taint' })
    await setTaint(server.context, permit, { node: 'n1', taint, annotations: { [mark]: 'p' } }, signal)
    expect(bodies(server)).toEqual([
      { metadata: { resourceVersion: '5', annotations: { [mark]: 'p' } }, spec: { taints: [taint] } },
    ])
  })

  test('is taken away in one write, and again without one', async () => {
    const server = scripted({ [reading]: [node([taint], { [mark]: 'p' }), node([])], [writing]: [node([])] })
    const choice = { node: 'n1', key: taint.key, requester: 'isolate', annotation: mark }
    await removeTaint(server.context, choice, signal)
    expect(await removeTaint(server.context, choice, signal)).toMatchObject({ kind: 'unchanged' })
    expect(bodies(server)).toEqual([
      { metadata: { resourceVersion: '5', annotations: { [mark]: null } }, spec: { taints: null } },
    ])
  })

  test('goes alone: what a user set under the same key, with another effect or a value, stays', async () => {
    const users = [
      { key: taint.key, effect: 'NoExecute' },
      { key: taint.key, effect: 'PreferNoSchedule' },
    ]
    const other = { ...taint, value: 'gpu' }
    const [first, second] = [
      scripted({ [reading]: [node([...users, taint], { [mark]: 'p' })], [writing]: [node(users)] }),
      scripted({ [reading]: [node([...users, other], { [mark]: 'p' })], [writing]: [node([...users, other])] }),
    ]
    const choice = { node: 'n1', key: taint.key, only: 'NoSchedule', requester: 'isolate', annotation: mark } as const
    await removeTaint(first.context, choice, signal)
    await removeTaint(second.context, choice, signal)
    expect([...bodies(first), ...bodies(second)]).toMatchObject([
      { spec: { taints: users } },
      { metadata: { annotations: { [mark]: null } } },
    ])
    expect(JSON.stringify(bodies(second))).not.toMatch(/"taints":null|"taints":\[\]/)
  })

  test('has its mark taken away where somebody took the taint', async () => {
    const server = scripted({ [reading]: [node([], { [mark]: 'p' })], [writing]: [node([])] })
    await removeTaint(server.context, { node: 'n1', key: taint.key, requester: 'isolate', annotation: mark }, signal)
    expect(bodies(server)).toEqual([
      { metadata: { resourceVersion: '5', annotations: { [mark]: null } }, spec: { taints: null } },
    ])
  })
})
