// `ballast readiness-condition-reporter` and `ballast agent --role=readiness` as processes of their own, against the API of a twin over HTTPS.
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { systemClock } from '#kube/clock.ts'
import type { KubeObject, Node } from '#kube/objects/objects.ts'
import { startTwin, type Twin } from '#twin/twin.ts'
import { reporterSettings } from '../src/capabilities/readiness/commands/readiness-condition-reporter.ts'
import { runBallast } from './cli/run-ballast.ts'
import { startBallast } from './cli/running-ballast.ts'

/** Who writes as the node has these and none of the administrator's. */
const rightsOfTheNode: readonly KubeObject[] = [
  {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRole',
    metadata: { name: 'own-node' },
    rules: [
      { apiGroups: [''], resources: ['nodes'], verbs: ['get'] },
      { apiGroups: [''], resources: ['nodes/status'], verbs: ['patch', 'update'] },
    ],
  },
  {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRoleBinding',
    metadata: { name: 'own-node' },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'own-node' },
    subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: 'system:node:n1' }],
  },
]

let twin: Twin
let server: Server
let folder: string
let status = 200
const kubeconfig = () => join(folder, 'kubeconfig')
const endpoint = () => `http://127.0.0.1:${(server.address() as AddressInfo).port}/readiness`

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'ballast-reporter-'))
  const conditions = [{ type: 'Ready', status: 'True' }]
  const node: KubeObject = {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: 'n1', labels: { role: 'web' } },
    spec: {},
    status: { conditions, addresses: [{ type: 'InternalIP', address: '127.0.0.1' }] },
  }
  twin = await startTwin({ clock: systemClock, objects: [node, ...rightsOfTheNode], listen: { port: 0, bind: '127.0.0.1' } })
  writeFileSync(kubeconfig(), await twin.kubeconfig())
  chmodSync(kubeconfig(), 0o600)
  server = createServer((_request, response) => response.writeHead(status).end('as said'))
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
})
afterAll(async () => {
  server.close()
  await twin.stop()
  rmSync(folder, { recursive: true, force: true })
})

function conditionOf(type: string) {
  const [node] = twin.access.list('nodes') as readonly Node[]
  return node?.status?.conditions?.find(one => one.type === type)
}
const wait = { timeout: 50_000, interval: 20 } as const

test('the reporter says what its endpoint answers, and says when that changes; a time that is none is not used', async () => {
  status = 200
  const environment = {
    NODE_NAME: 'n1',
    CONDITION_TYPE: 'example.com/Ready',
    CHECK_ENDPOINT: endpoint(),
    CHECK_INTERVAL: '100ms',
    HEARTBEAT_PERIOD: 'soon',
    IMPERSONATE_NODE: 'true',
    KUBECONFIG: kubeconfig(),
  }
  await using reporter = startBallast(['readiness-condition-reporter'], { environment })
  await vi.waitUntil(() => conditionOf('example.com/Ready')?.status === 'True', wait)
  expect(conditionOf('example.com/Ready')).toMatchObject({
    reason: 'EndpointOK',
    message: `Endpoint reports ready at ${endpoint()}`,
  })
  expect(`${reporter.output}${reporter.words}`).toContain(
    'HEARTBEAT_PERIOD is \\"soon\\", which is no time above 0: 300s is used',
  )
  status = 503
  await vi.waitUntil(() => conditionOf('example.com/Ready')?.status === 'False', wait)
  expect(conditionOf('example.com/Ready')).toMatchObject({
    reason: 'EndpointNotReady',
    message: `Endpoint returned non-2xx status code 503 at ${endpoint()}: as said`,
  })
  expect(conditionOf('Ready')?.status).toBe('True')
  await reporter.stop()
}, 100_000)

test('without its environment it ends with 2, and names what is missing', async () => {
  const ended = await runBallast(['readiness-condition-reporter'], '', {
    environment: { NODE_NAME: '', CHECK_ENDPOINT: 'ftp://a' },
  })
  expect(ended.code).toBe(2)
  expect(ended.words).toMatch(/NODE_NAME[\s\S]*CONDITION_TYPE[\s\S]*CHECK_ENDPOINT/)
})

test('times as upstream has them', () => {
  const needed = { NODE_NAME: 'n', CONDITION_TYPE: 'T', CHECK_ENDPOINT: 'http://localhost:9099/readiness' }
  expect(reporterSettings(needed)).toEqual({
    node: 'n',
    type: 'T',
    endpoint: 'http://localhost:9099/readiness',
    intervalMs: 30_000,
    heartbeatMs: 300_000,
    isImpersonating: false,
    warnings: [],
  })
  expect(reporterSettings({ ...needed, CHECK_INTERVAL: '5s', HEARTBEAT_PERIOD: '1h', IMPERSONATE_NODE: 'yes' })).toMatchObject({
    intervalMs: 5_000,
    heartbeatMs: 3_600_000,
    isImpersonating: false,
  })
})

test.each([false, true])(
  'the agent of role readiness asks the mirror and what rules ask for; as its node: %s',
  async asNode => {
    status = 200
    const type = `example.com/Mirror${asNode ? 'AsNode' : ''}`
    const file = join(folder, `config-${asNode}.yaml`)
    writeFileSync(
      file,
      JSON.stringify({
        apiVersion: 'ballast.dev/v1alpha1',
        kind: 'BallastConfiguration',
        capabilities: {
          readiness: {
            enabled: true,
            rules: [{ name: 'web', nodeSelector: { matchLabels: { role: 'web' } }, require: [{ http: endpoint() }] }],
            agent: { mirror: endpoint(), conditionType: type, interval: '1s', impersonateNode: asNode },
          },
        },
      }),
    )
    const environment = { NODE_NAME: 'n1', KUBECONFIG: kubeconfig() }
    await using agent = startBallast(['agent', '--role=readiness', `--config=${file}`], { environment })
    await vi.waitUntil(() => conditionOf(type)?.status === 'True', wait)
    expect(conditionOf(type)?.reason).toBe('Serving')
    const [node] = twin.access.list('nodes') as readonly Node[]
    expect(node?.status?.conditions?.filter(one => one.type.startsWith('ballast.dev/Http-')).map(({ status: is }) => is)).toEqual(
      ['True'],
    )
    await agent.stop()
  },
  100_000,
)
