import { describe, expect, test } from 'vitest'
import type { KubeObject } from '#kube/objects/objects.ts'
import { itemsAt, listAt, numberAt, textAt, valueAt } from './json-value.ts'
import { itemNames, startTestTwin, testConfigMap, testDeployment, testPod } from './twin-for-tests.ts'

const core = '/api/v1/namespaces/default'
const apps = '/apis/apps/v1/namespaces/default'

describe('optimistic writes', () => {
  test('an identical object is not written again', async () => {
    await using twin = await startTestTwin()
    const { body } = await twin.client.post(`${core}/configmaps`, testConfigMap('a', { x: 'y' }))
    const { revision } = twin.twin.access
    using watch = await twin.client.watch(`${core}/configmaps`, { resourceVersion: String(revision) })
    const again = await twin.client.put(`${core}/configmaps/a`, body)
    expect(again.status).toBe(200)
    expect(valueAt(again.body, 'metadata', 'resourceVersion')).toBe(valueAt(body, 'metadata', 'resourceVersion'))
    expect(twin.twin.access.revision).toBe(revision)
    await twin.client.post(`${core}/configmaps`, testConfigMap('next'))
    expect(await watch.next(1)).toMatchObject([{ type: 'ADDED', object: { metadata: { name: 'next' } } }])
  })

  test('a stale resourceVersion is a conflict', async () => {
    await using twin = await startTestTwin()
    const { body } = await twin.client.post(`${apps}/deployments`, testDeployment('web'))
    await twin.client.patch(`${apps}/deployments/web`, 'merge', { spec: { replicas: 3 } })
    const stale = await twin.client.put(`${apps}/deployments/web`, body)
    expect(stale.status).toBe(409)
    expect(stale.message).toBe(
      'Operation cannot be fulfilled on deployments.apps "web": the object has been modified; please apply your changes to the latest version and try again',
    )
  })

  test('dry run answers and leaves everything as it is', async () => {
    await using twin = await startTestTwin()
    const { revision } = twin.twin.access
    const answer = await twin.client.post(`${apps}/deployments?dryRun=All`, testDeployment('web'))
    expect([answer.status, twin.twin.access.revision]).toEqual([201, revision])
    expect((await twin.client.post(`${core}/configmaps?dryRun=x`, testConfigMap('a'))).message).toContain(
      'dryRun: Unsupported value: ["x"]: supported values: "All"',
    )
  })

  test('generation follows the spec, not metadata or status', async () => {
    await using twin = await startTestTwin()
    await twin.client.post(`${apps}/deployments`, testDeployment('web'))
    await twin.client.patch(`${apps}/deployments/web`, 'merge', { metadata: { labels: { a: 'b' } } })
    await twin.client.patch(`${apps}/deployments/web/status`, 'merge', { status: { replicas: 1 }, spec: { replicas: 9 } })
    const { body } = await twin.client.patch(`${apps}/deployments/web`, 'merge', { spec: { paused: true } })
    expect(valueAt(body, 'metadata', 'generation')).toBe(2)
    expect(valueAt(body, 'spec', 'replicas')).toBe(1)
    expect(valueAt(body, 'status', 'replicas')).toBe(1)
  })
})

describe('validation', () => {
  test.each<{ name: string; patch: unknown; message: string }>([
    {
      name: 'the selector of a Deployment',
      patch: { spec: { selector: { matchLabels: { app: 'x' } }, template: { metadata: { labels: { app: 'x' } } } } },
      message: 'Deployment.apps "web" is invalid: spec.selector: Invalid value: {"matchLabels":{"app":"x"}}: field is immutable',
    },
    {
      name: 'labels that the selector does not match',
      patch: { spec: { template: { metadata: { labels: { app: 'x' } } } } },
      message:
        'Deployment.apps "web" is invalid: spec.template.metadata.labels: Invalid value: {"app":"x"}: `selector` does not match template `labels`',
    },
    {
      name: 'negative replicas',
      patch: { spec: { replicas: -1 } },
      message: 'Deployment.apps "web" is invalid: spec.replicas: Invalid value: -1: must be greater than or equal to 0',
    },
  ])('$name', async ({ patch, message }) => {
    await using twin = await startTestTwin()
    await twin.client.post(`${apps}/deployments`, testDeployment('web'))
    const answer = await twin.client.patch(`${apps}/deployments/web`, 'merge', patch)
    expect([answer.status, answer.message]).toEqual([422, message])
  })

  test('a pod may change its image and nothing else of its containers', async () => {
    await using twin = await startTestTwin([testPod('p')])
    const image = (value: object) =>
      twin.client.patch(`${core}/pods/p`, 'strategic', { spec: { containers: [{ name: 'c', ...value }] } })
    expect((await image({ image: 'nginx:2' })).status).toBe(200)
    const refused = await image({ resources: { requests: { cpu: '1' } } })
    expect([refused.status, refused.message?.slice(0, 60)]).toEqual([
      422,
      'Pod "p" is invalid: spec: Forbidden: pod updates may not cha',
    ])
  })

  test('a gated pod may be narrowed to a node, and loses its gate in the same patch', async () => {
    await using twin = await startTestTwin()
    const spec = { containers: [{ name: 'c', image: 'x' }], schedulingGates: [{ name: 'ballast.dev/landing' }] }
    const created = await twin.client.post(`${core}/pods`, { ...testPod('p'), spec })
    expect(created.status).toBe(201)
    const required = { nodeSelectorTerms: [{ matchFields: [{ key: 'metadata.name', operator: 'In', values: ['n2'] }] }] }
    const affinity = { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: required } }
    const answer = await twin.client.patch(`${core}/pods/p`, 'merge', { spec: { schedulingGates: null, affinity } })
    expect(answer.status).toBe(200)
    expect(valueAt(answer.body, 'spec', 'schedulingGates')).toBeUndefined()
    const gateAgain = await twin.client.patch(`${core}/pods/p`, 'merge', { spec: { schedulingGates: [{ name: 'x' }] } })
    expect(gateAgain.message).toContain('spec.schedulingGates[0].name: Forbidden: only deletion is allowed')
    const moved = await twin.client.patch(`${core}/pods/p`, 'merge', { spec: { affinity: null } })
    expect(moved.status).toBe(422)
  })
})

describe('patches', () => {
  const service: KubeObject = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'dns', namespace: 'default' },
    spec: {
      type: 'NodePort',
      ports: [
        { name: 't', port: 53, protocol: 'TCP', nodePort: 30_053 },
        { name: 'u', port: 53, protocol: 'UDP', nodePort: 30_054 },
      ],
    },
  }

  test('strategic merge takes the first port of the number, server-side apply the one of the protocol', async () => {
    await using twin = await startTestTwin()
    await twin.client.post(`${core}/services?fieldManager=x`, service)
    const item = { port: 53, protocol: 'UDP', nodePort: 30_001 }
    const merged = await twin.client.patch(`${core}/services/dns`, 'strategic', { spec: { ports: [item] } })
    expect(merged.status).toBe(422)
    expect(merged.message).toContain('spec.ports[1]: Duplicate value')
    const body = { apiVersion: 'v1', kind: 'Service', metadata: { name: 'dns' }, spec: { ports: [item] } }
    const done = await twin.client.apply(`${core}/services/dns`, 'a', body, { force: true })
    expect(done.status).toBe(200)
    expect(
      itemsAt(done.body, 'spec', 'ports').map(port => [port['protocol'], port['name'], port['nodePort'] === 30_001]),
    ).toEqual([
      ['TCP', 't', false],
      ['UDP', 'u', true],
    ])
  })

  test.each([
    { name: 'adds by key', patch: { spec: { taints: [{ key: 'b', effect: 'NoExecute' }] } }, taints: ['b'] },
    { name: 'null deletes', patch: { spec: { taints: null } }, taints: [] },
  ])('of a node with strategic merge: $name', async ({ patch, taints }) => {
    await using twin = await startTestTwin([
      { apiVersion: 'v1', kind: 'Node', metadata: { name: 'n1' }, spec: { taints: [{ key: 'a', effect: 'NoSchedule' }] } },
    ])
    const answer = await twin.client.patch('/api/v1/nodes/n1', 'strategic', patch)
    expect(itemsAt(answer.body, 'spec', 'taints').map(taint => taint['key'])).toEqual(taints)
  })

  test('directives: delete, retainKeys, order', async () => {
    await using twin = await startTestTwin()
    const deployment = testDeployment('web')
    await twin.client.post(`${apps}/deployments`, deployment)
    const path = `${apps}/deployments/web`
    await twin.client.patch(path, 'strategic', {
      spec: {
        template: {
          spec: {
            $setElementOrder: null,
            '$setElementOrder/containers': [{ name: 'd' }, { name: 'c' }],
            containers: [{ name: 'd', image: 'y' }],
          },
        },
      },
    })
    const names = async () =>
      itemsAt((await twin.client.get(path)).body, 'spec', 'template', 'spec', 'containers').map(container => container['name'])
    expect(await names()).toEqual(['d', 'c'])
    await twin.client.patch(path, 'strategic', {
      spec: { template: { spec: { containers: [{ name: 'd', $patch: 'delete' }] } } },
    })
    expect(await names()).toEqual(['c'])
    const recreate = await twin.client.patch(path, 'strategic', {
      spec: { strategy: { $retainKeys: ['type'], type: 'Recreate' } },
    })
    expect(valueAt(recreate.body, 'spec', 'strategy')).toEqual({ type: 'Recreate' })
  })

  test('JSON patch: a test that fails, and one that passes', async () => {
    await using twin = await startTestTwin([testConfigMap('a', { x: '1' })])
    const path = `${core}/configmaps/a`
    const failed = await twin.client.patch(path, 'json', [{ op: 'test', path: '/data/x', value: '2' }])
    expect([failed.status, failed.message]).toEqual([422, 'the server rejected our request due to an error in our request'])
    const done = await twin.client.patch(path, 'json', [
      { op: 'test', path: '/data/x', value: '1' },
      { op: 'replace', path: '/data/x', value: '3' },
    ])
    expect(valueAt(done.body, 'data', 'x')).toBe('3')
  })
})

describe('server-side apply', () => {
  const body = (replicas: number) => ({ ...testDeployment('web'), spec: { ...Object(testDeployment('web').spec), replicas } })
  const path = `${apps}/deployments/web`

  test('another value of a field that somebody applied is a conflict; force takes it; the same value is shared', async () => {
    await using twin = await startTestTwin()
    expect((await twin.client.apply(path, 'a', body(3))).status).toBe(201)
    const conflict = await twin.client.apply(path, 'b', body(5))
    expect([conflict.status, conflict.message]).toEqual([409, 'Apply failed with 1 conflict: conflict with "a": .spec.replicas'])
    expect((await twin.client.apply(path, 'b', body(3))).status).toBe(200)
    const forced = await twin.client.apply(path, 'b', body(5), { force: true })
    expect(valueAt(forced.body, 'spec', 'replicas')).toBe(5)
    const owners = itemsAt(forced.body, 'metadata', 'managedFields').filter(
      entry => valueAt(entry, 'fieldsV1', 'f:spec', 'f:replicas') !== undefined,
    )
    expect(owners.map(entry => entry['manager'])).toEqual(['b'])
  })

  test('an updater is named with its version', async () => {
    await using twin = await startTestTwin()
    await twin.client.apply(path, 'a', body(3))
    const { body: present } = await twin.client.get(path)
    const edited = { ...Object(present), spec: { ...Object(valueAt(present, 'spec')), replicas: 4 } }
    expect((await twin.client.put(`${path}?fieldManager=kubectl-edit`, edited)).status).toBe(200)
    expect((await twin.client.apply(path, 'a', body(3))).message).toBe(
      'Apply failed with 1 conflict: conflict with "kubectl-edit" using apps/v1: .spec.replicas',
    )
  })

  test('what a manager no longer applies goes, unless another applied it too', async () => {
    await using twin = await startTestTwin()
    const map = `${core}/configmaps/m`
    const apply = (manager: string, data: Record<string, string>) =>
      twin.client.apply(map, manager, { ...testConfigMap('m'), data })
    await apply('a', { x: '1', y: '2' })
    expect(valueAt((await apply('a', { x: '1' })).body, 'data')).toEqual({ x: '1' })
    await apply('a', { x: '1', y: '2' })
    await apply('b', { y: '2' })
    const { body: left } = await apply('a', { x: '1' })
    expect(valueAt(left, 'data')).toEqual({ x: '1', y: '2' })
    const owners = itemsAt(left, 'metadata', 'managedFields').filter(entry => valueAt(entry, 'fieldsV1', 'f:data', 'f:y'))
    expect(owners.map(entry => entry['manager'])).toEqual(['b'])
  })

  test('the same configuration twice writes nothing', async () => {
    await using twin = await startTestTwin()
    await twin.client.apply(path, 'a', body(3))
    const { revision } = twin.twin.access
    twin.clock.step()
    await twin.clock.advance(60_000)
    expect((await twin.client.apply(path, 'a', body(3))).status).toBe(200)
    expect(twin.twin.access.revision).toBe(revision)
  })

  test.each([
    { query: '', message: 'fieldManager: Required value: is required for apply patch' },
    { query: '?fieldManager=a', message: 'metadata.managedFields must be nil' },
  ])('refused: $message', async ({ query, message }) => {
    await using twin = await startTestTwin()
    const managed = { ...testConfigMap('m'), metadata: { name: 'm', managedFields: [{ manager: 'x' }] } }
    const answer = await twin.client.call('PATCH', `${core}/configmaps/m${query}`, {
      body: managed,
      contentType: 'application/apply-patch+yaml',
    })
    expect(answer.message).toContain(message)
  })
})

describe('deletion', () => {
  test('a pod is given its grace; a shorter one brings the end nearer; force removes', async () => {
    await using twin = await startTestTwin([testPod('p')])
    const first = await twin.client.call('DELETE', `${core}/pods/p`)
    expect(valueAt(first.body, 'metadata', 'deletionTimestamp')).toBe('2026-01-01T00:00:30Z')
    const shorter = await twin.client.call('DELETE', `${core}/pods/p?gracePeriodSeconds=10`)
    expect(valueAt(shorter.body, 'metadata', 'deletionTimestamp')).toBe('2026-01-01T00:00:10Z')
    const longer = await twin.client.call('DELETE', `${core}/pods/p?gracePeriodSeconds=100`)
    expect(valueAt(longer.body, 'metadata', 'deletionGracePeriodSeconds')).toBe(10)
    await twin.client.call('DELETE', `${core}/pods/p?gracePeriodSeconds=0`)
    expect((await twin.client.get(`${core}/pods/p`)).message).toBe('pods "p" not found')
  })

  test('a precondition that does not hold', async () => {
    await using twin = await startTestTwin([testPod('p')])
    const uid = textAt((await twin.client.get(`${core}/pods/p`)).body, 'metadata', 'uid')
    const answer = await twin.client.call('DELETE', `${core}/pods/p`, { body: { preconditions: { uid: 'a' } } })
    expect(answer.status).toBe(409)
    expect(answer.message).toBe(
      `Operation cannot be fulfilled on Pod "p": the UID in the precondition (a) does not match the UID in record (${uid}). The object might have been deleted and then recreated`,
    )
  })

  test('finalizers hold an object until the last is gone', async () => {
    await using twin = await startTestTwin([
      { ...testConfigMap('a'), metadata: { name: 'a', namespace: 'default', finalizers: ['x.dev/f'] } },
    ])
    const path = `${core}/configmaps/a`
    expect((await twin.client.call('DELETE', path)).body).toMatchObject({
      kind: 'ConfigMap',
      metadata: { finalizers: ['x.dev/f'] },
    })
    const added = await twin.client.patch(path, 'merge', { metadata: { finalizers: ['x.dev/f', 'x.dev/g'] } })
    expect(added.message).toContain(
      'metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted',
    )
    expect((await twin.client.patch(path, 'merge', { metadata: { finalizers: null } })).status).toBe(200)
    expect((await twin.client.get(path)).status).toBe(404)
  })

  test.each([
    { policy: 'Foreground', finalizers: ['foregroundDeletion'] },
    { policy: 'Orphan', finalizers: ['orphan'] },
  ])('$policy leaves the object to the garbage collector', async ({ policy, finalizers }) => {
    await using twin = await startTestTwin()
    await twin.client.post(`${apps}/deployments`, testDeployment('web'))
    const answer = await twin.client.call('DELETE', `${apps}/deployments/web`, { body: { propagationPolicy: policy } })
    expect(listAt(answer.body, 'metadata', 'finalizers')).toEqual(finalizers)
  })

  test('Background answers with a Status that names what went', async () => {
    await using twin = await startTestTwin()
    await twin.client.post(`${apps}/deployments`, testDeployment('web'))
    const answer = await twin.client.call('DELETE', `${apps}/deployments/web`, { body: { propagationPolicy: 'Background' } })
    expect(answer.body).toMatchObject({
      kind: 'Status',
      status: 'Success',
      details: { name: 'web', group: 'apps', kind: 'deployments' },
    })
    expect((await twin.client.get(`${apps}/deployments/web`)).message).toBe('deployments.apps "web" not found')
  })

  test('a collection by selector', async () => {
    await using twin = await startTestTwin([testPod('a', { labels: { x: '1' } }), testPod('b', { labels: { x: '2' } })])
    await twin.client.call('DELETE', `${core}/pods?labelSelector=x%3D1&gracePeriodSeconds=0`)
    expect(itemNames((await twin.client.get(`${core}/pods`)).body)).toEqual(['b'])
  })

  test('nothing new in a namespace that ends; the first namespaces stay', async () => {
    await using twin = await startTestTwin([{ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'old' } }])
    expect(valueAt((await twin.client.call('DELETE', '/api/v1/namespaces/old')).body, 'status', 'phase')).toBe('Terminating')
    const answer = await twin.client.post('/api/v1/namespaces/old/pods', { ...testPod('p'), metadata: { name: 'p' } })
    expect(answer.message).toBe(
      'pods "p" is forbidden: unable to create new content in namespace old because it is being terminated',
    )
    expect(valueAt(itemsAt(answer.body, 'details', 'causes')[0], 'reason')).toBe('NamespaceTerminating')
    expect((await twin.client.call('DELETE', '/api/v1/namespaces/default')).message).toBe(
      'namespaces "default" is forbidden: this namespace may not be deleted',
    )
    expect((await twin.client.post('/api/v1/namespaces/none/pods', testPod('p'))).status).toBe(400)
    expect((await twin.client.post('/api/v1/namespaces/none/pods', { ...testPod('p'), metadata: { name: 'p' } })).message).toBe(
      'namespaces "none" not found',
    )
  })
})

describe('eviction', () => {
  const budget = (status: object): KubeObject => ({
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: { name: 'p', namespace: 'default', generation: 1 },
    spec: { minAvailable: 2, selector: { matchLabels: { app: 'web' } } },
    status: { observedGeneration: 1, currentHealthy: 2, desiredHealthy: 2, expectedPods: 2, disruptionsAllowed: 0, ...status },
  })
  const evict = (name: string, options = {}) => ({ apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name }, ...options })

  test('is refused while the budget allows none', async () => {
    await using twin = await startTestTwin([testPod('a'), testPod('b'), budget({})])
    const answer = await twin.client.post(`${core}/pods/a/eviction`, evict('a'))
    expect(answer.status).toBe(429)
    expect(answer.headers['retry-after']).toBeUndefined()
    expect(valueAt(answer.body, 'details', 'causes')).toEqual([
      { reason: 'DisruptionBudget', message: 'The disruption budget p needs 2 healthy pods and has 2 currently' },
    ])
  })

  test('is counted once, and the pod says why it goes', async () => {
    await using twin = await startTestTwin([
      testPod('a'),
      testPod('b'),
      testPod('c'),
      budget({ currentHealthy: 3, disruptionsAllowed: 1 }),
    ])
    const answer = await twin.client.post(`${core}/pods/a/eviction`, evict('a'))
    expect([answer.status, valueAt(answer.body, 'status')]).toEqual([201, 'Success'])
    const after = await twin.client.get('/apis/policy/v1/namespaces/default/poddisruptionbudgets/p')
    expect(valueAt(after.body, 'status')).toMatchObject({ disruptionsAllowed: 0, disruptedPods: { a: '2026-01-01T00:00:00Z' } })
    const pod = await twin.client.get(`${core}/pods/a`)
    expect(itemsAt(pod.body, 'status', 'conditions')).toContainEqual(
      expect.objectContaining({ type: 'DisruptionTarget', reason: 'EvictionByEvictionAPI' }),
    )
    expect(textAt(pod.body, 'metadata', 'deletionTimestamp')).toBe('2026-01-01T00:00:30Z')
    expect((await twin.client.post(`${core}/pods/b/eviction`, evict('b'))).status).toBe(429)
  })

  test('of a pod that is not ready, or not yet running, costs nothing (case 21)', async () => {
    const running = testPod('a', { isReady: false })
    const pending = testPod('b', { phase: 'Pending', isReady: false })
    const short = budget({ currentHealthy: 1, desiredHealthy: 2 })
    const policy = { ...Object(short['spec']), unhealthyPodEvictionPolicy: 'AlwaysAllow' }
    for (const [spec, expected] of [
      [short['spec'], [429, 201]],
      [policy, [201, 201]],
    ] as const) {
      await using twin = await startTestTwin([running, pending, { ...short, spec }])
      const codes = []
      for (const name of ['a', 'b']) codes.push((await twin.client.post(`${core}/pods/${name}/eviction`, evict(name))).status)
      expect(codes).toEqual(expected)
      const after = await twin.client.get('/apis/policy/v1/namespaces/default/poddisruptionbudgets/p')
      expect(valueAt(after.body, 'status')).toEqual(short['status'])
    }
  })

  test('waits for a budget that was just edited', async () => {
    await using twin = await startTestTwin([testPod('a'), budget({ disruptionsAllowed: 1, observedGeneration: 0 })])
    const answer = await twin.client.post(`${core}/pods/a/eviction`, evict('a'))
    expect([answer.status, answer.headers['retry-after']]).toEqual([429, '10'])
    expect(answer.text).toContain('The disruption budget p is still being processed by the server.')
  })

  test('a wrong UID costs the budget nothing; dry run neither', async () => {
    await using twin = await startTestTwin([testPod('a'), budget({ disruptionsAllowed: 1 })])
    const wrong = await twin.client.post(
      `${core}/pods/a/eviction`,
      evict('a', { deleteOptions: { preconditions: { uid: 'x' } } }),
    )
    const dry = await twin.client.post(`${core}/pods/a/eviction?dryRun=All`, evict('a'))
    const mismatch = await twin.client.post(`${core}/pods/a/eviction`, evict('b'))
    expect([wrong.status, dry.status, mismatch.status]).toEqual([409, 201, 400])
    const after = await twin.client.get('/apis/policy/v1/namespaces/default/poddisruptionbudgets/p')
    expect(numberAt(after.body, 'status', 'disruptionsAllowed')).toBe(1)
  })

  test('a pending pod needs no budget; two budgets are an error', async () => {
    const second = { ...budget({ disruptionsAllowed: 5 }), metadata: { name: 'q', namespace: 'default', generation: 1 } }
    await using twin = await startTestTwin([testPod('a', { phase: 'Pending' }), testPod('b'), budget({}), second])
    expect((await twin.client.post(`${core}/pods/a/eviction`, evict('a'))).status).toBe(201)
    const answer = await twin.client.post(`${core}/pods/b/eviction`, evict('b'))
    expect([answer.status, answer.message]).toEqual([
      500,
      'This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.',
    ])
  })
})

describe("facts that controller-runtime's own tests hold", () => {
  const base = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a' }, data: { key: 'x' } }
  const configMaps = '/api/v1/namespaces/default/configmaps'

  test.each(['', '0'])('an applied resourceVersion %j is none', async resourceVersion => {
    await using twin = await startTestTwin()
    await twin.client.apply(`${configMaps}/a`, 'three', base)
    const again = { ...base, metadata: { name: 'a', resourceVersion }, data: { key: 'y' } }
    expect(await twin.client.apply(`${configMaps}/a`, 'three', again)).toMatchObject({
      status: 200,
      body: { data: { key: 'y' } },
    })
  })

  test('a dry run makes what names a resourceVersion, and answers with it', async () => {
    await using twin = await startTestTwin()
    const sent = { ...base, metadata: { name: 'a', resourceVersion: '5' } }
    expect(await twin.client.call('POST', configMaps, { body: sent, query: { dryRun: 'All' } })).toMatchObject({
      status: 201,
      body: { metadata: { resourceVersion: '5' } },
    })
    expect(await twin.client.post(configMaps, sent)).toMatchObject({ status: 500 })
  })

  test('a scale is applied: who has the replicas is asked, and noted', async () => {
    await using twin = await startTestTwin()
    const scale = `${apps}/deployments/a/scale`
    const spec = {
      replicas: 1,
      selector: { matchLabels: { app: 'a' } },
      template: { metadata: { labels: { app: 'a' } }, spec: { containers: [{ name: 'c', image: 'i' }] } },
    }
    const deployment = { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'a' }, spec }
    await twin.client.call('POST', `${apps}/deployments`, { body: deployment, query: { fieldManager: 'maker' } })
    const wanted = { apiVersion: 'autoscaling/v1', kind: 'Scale', metadata: { name: 'a' }, spec: { replicas: 3 } }
    expect(await twin.client.apply(scale, 'foo', wanted)).toMatchObject({
      status: 409,
      message: 'Apply failed with 1 conflict: conflict with "maker" using autoscaling/v1: .spec.replicas',
    })
    expect(await twin.client.apply(scale, 'foo', wanted, { force: true })).toMatchObject({
      status: 200,
      body: { spec: { replicas: 3 } },
    })
    const { body } = await twin.client.get(scale.replace('/scale', ''))
    expect(itemsAt(body, 'metadata', 'managedFields')[0]).toEqual({
      ...{ manager: 'foo', operation: 'Apply', apiVersion: 'apps/v1', subresource: 'scale' },
      ...{ fieldsType: 'FieldsV1', fieldsV1: { 'f:spec': { 'f:replicas': {} } } },
    })
    expect(await twin.client.apply(scale, 'foo', deployment)).toMatchObject({ status: 400 })
  })

  test('who writes a scale is noted until it is at zero, and then nobody is until somebody writes the object', async () => {
    await using twin = await startTestTwin()
    const path = `${apps}/deployments/a`
    const spec = {
      replicas: 2,
      selector: { matchLabels: { app: 'a' } },
      template: { metadata: { labels: { app: 'a' } }, spec: { containers: [{ name: 'c', image: 'i' }] } },
    }
    const deployment = { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'a' }, spec }
    await twin.client.call('POST', `${apps}/deployments`, { body: deployment, query: { fieldManager: 'maker' } })
    const owners = async () => {
      const { body } = await twin.client.get(path)
      return itemsAt(body, 'metadata', 'managedFields').flatMap(entry =>
        valueAt(entry, 'fieldsV1', 'f:spec', 'f:replicas') === undefined ? [] : [textAt(entry, 'manager')],
      )
    }
    const scale = { apiVersion: 'autoscaling/v1', kind: 'Scale', metadata: { name: 'a' } }
    const to = async (replicas: number) => {
      const written = { body: { ...scale, spec: { replicas } }, query: { fieldManager: 'scaler' } }
      expect(await twin.client.call('PUT', `${path}/scale`, written)).toMatchObject({ status: 200 })
      return await owners()
    }
    expect([await owners(), await to(3), await to(0), await to(4), await to(0)]).toEqual([['maker'], ['scaler'], [], [], []])
    await twin.client.patch(path, 'merge', { spec: { replicas: 1 } }, { query: { fieldManager: 'person' } })
    expect([await owners(), await to(5)]).toEqual([['person'], ['scaler']])
  })
})
