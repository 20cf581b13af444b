// Temporal: what its frontend is asked by gRPC, what its answers come to, and what of a trigger is refused.
import { type ServerUnaryCall, type sendUnaryData, status } from '@grpc/grpc-js'
import { describe, expect, test } from 'vitest'
import { grpcServer } from '../testdata/grpc-server.ts'
import { opened, readOf, signal, type Texts } from '../testdata/hostile-sources.ts'
import { scalerWorld } from '../testdata/scaler-world.ts'
import { temporalApi } from './temporal-api.ts'

interface Said {
  /** By the type of the queue. */
  readonly backlog?: Readonly<Record<number, number>>
  readonly version?: object
  readonly running?: number | 'refused' | 'hangs'
}

async function temporalServer({ backlog = {}, version, running = 0 }: Said) {
  const asked: { readonly name: string; readonly request: unknown; readonly headers: object }[] = []
  type Call = ServerUnaryCall<{ taskQueueType: number }, object>
  const noted =
    (name: string, answer: (call: Call, done: sendUnaryData<object>) => void) => (call: Call, done: sendUnaryData<object>) => {
      asked.push({ name, request: call.request, headers: call.metadata.getMap() })
      answer(call, done)
    }
  const handlers = {
    describeTaskQueue: noted('queue', ({ request: { taskQueueType } }, done) => {
      const waiting = backlog[taskQueueType]
      done(null, waiting === undefined ? {} : { stats: { backlog: waiting } })
    }),
    describeVersion: noted('version', (_call, done) =>
      version === undefined ? done({ code: status.NOT_FOUND, details: 'no such version' }) : done(null, version),
    ),
    countWorkflows: noted('count', (_call, done) => {
      if (running === 'hangs') return
      if (running === 'refused') done({ code: status.RESOURCE_EXHAUSTED, details: 'namespace rate limit exceeded' })
      else done(null, { count: running })
    }),
  }
  return { asked, ...(await grpcServer(temporalApi, handlers)) }
}

const given = (endpoint: string, more: Texts = {}): Texts => ({ endpoint, taskQueue: 'default', namespace: 'v2', ...more })

test('what it asks of each type of queue, and the name of its metric', async () => {
  using server = await temporalServer({ backlog: { 1: 4, 2: 3 } })
  await using world = scalerWorld()
  const more = { index: 1, auth: { apiKey: 'hunter2' } }
  await using scaler = await opened('temporal', given(server.address, { enableTLS: 'false' }), more, world)
  expect(await scaler.metrics(signal)).toMatchObject([
    { external: { metric: { name: 's1-temporal-v2-default' }, target: { averageValue: '5' } } },
  ])
  expect(await scaler.read('m', signal)).toEqual({ values: [{ name: 'm', value: 7 }], isActive: true })
  expect(server.asked.map(({ request }) => request)).toMatchObject(
    [1, 2, 3].map(taskQueueType => ({
      namespace: 'v2',
      taskQueue: { name: 'default', kind: 1 },
      taskQueueType,
      reportStats: true,
    })),
  )
  expect(server.asked[0]?.headers).toMatchObject({ 'temporal-namespace': 'v2', authorization: 'Bearer hunter2' })
})

const version = { workerDeploymentName: 'my-deploy', workerDeploymentBuildId: 'v1' }
const busy = { includeRunningWorkflowCount: 'true' }
const queue = (name: string, type: number, backlog: number) => ({ name, type, stats: { backlog } })
const versioned = (state: number) => ({
  info: { status: state },
  taskQueues: [queue('default', 1, 3), queue('default', 2, 4), queue('other', 1, 50)],
})

test.each<[string, Said, Texts, unknown, readonly string[]]>([
  ['nothing is said of any', {}, {}, [0, false], ['queue', 'queue', 'queue']],
  ['at its threshold', { backlog: { 1: 7 } }, { activationTargetQueueSize: '7' }, [7, false], ['queue', 'queue', 'queue']],
  ['one type', { backlog: { 1: 7, 2: 9 } }, { queueTypes: 'activity' }, [9, true], ['queue']],
  ['two types', { backlog: { 1: 7, 2: 9, 3: 20 } }, { queueTypes: 'workflow, activity' }, [16, true], ['queue', 'queue']],
  ['of a version', { version: versioned(2) }, version, [7, true], ['version']],
  ['of a version, by type', { version: versioned(2) }, { ...version, queueTypes: 'activity' }, [4, true], ['version']],
  ['of a version that is not known', {}, version, expect.stringContaining('no such version'), ['version']],
  ['a workflow runs', { running: 1 }, { ...busy, queueTypes: 'nexus' }, [0, true], ['queue', 'count']],
  ['none runs', {}, { ...busy, queueTypes: 'nexus' }, [0, false], ['queue', 'count']],
  ['tasks wait, so that nobody counts', { backlog: { 3: 1 } }, { ...busy, queueTypes: 'nexus' }, [1, true], ['queue']],
  ['a version drains', { version: { info: { status: 4 } } }, { ...version, ...busy }, [0, true], ['version']],
  ['a version has drained', { version: { info: { status: 5 } }, running: 9 }, { ...version, ...busy }, [0, false], ['version']],
  [
    'a current version works',
    { version: { info: { status: 2 } }, running: 9 },
    { ...version, ...busy },
    [0, true],
    ['version', 'count'],
  ],
  [
    'a count that is refused is no zero',
    { running: 'refused' },
    { ...busy, queueTypes: 'nexus' },
    expect.stringMatching(/^whether workflows run is not known: Temporal at .*rate limit exceeded/),
    ['queue', 'count'],
  ],
  [
    'a count that does not come is no zero',
    { running: 'hangs' },
    { ...busy, queueTypes: 'nexus' },
    expect.stringMatching(/no answer in 0.2 s$/),
    ['queue', 'count'],
  ],
])('%s', async (_name, said, more, expected, asked) => {
  using server = await temporalServer(said)
  expect(await readOf('temporal', given(server.address, more), {}, { timeoutMs: 200 })).toEqual(expected)
  expect(server.asked.map(({ name }) => name)).toEqual(asked)
})

test.each<[Texts, string]>([
  [{}, "ExecutionStatus = 'Running' AND TaskQueue = 'default' AND TemporalWorkerDeploymentVersion is null"],
  [
    { workflowTaskQueueForCount: 'flows' },
    "ExecutionStatus = 'Running' AND TaskQueue = 'flows' AND TemporalWorkerDeploymentVersion is null",
  ],
  [version, "ExecutionStatus = 'Running' AND TaskQueue = 'default' AND TemporalWorkerDeploymentVersion = 'my-deploy:v1'"],
])('workflows that it counts with %o', async (more, query) => {
  using server = await temporalServer({ version: { info: { status: 3 } } })
  await readOf('temporal', given(server.address, { ...busy, ...more }))
  expect(server.asked.at(-1)).toMatchObject({ name: 'count', request: { namespace: 'v2', query } })
})

describe("upstream's rules of parameters", () => {
  test.each<[string, Texts, Texts, RegExp]>([
    ['no queue', { endpoint: 'a:1', taskQueue: '' }, {}, /missing required parameter "taskQueue"/],
    ['no endpoint', { endpoint: '' }, {}, /missing required parameter "endpoint"/],
    ['an endpoint without a port', { endpoint: 'temporal' }, {}, /endpoint "temporal": expected host:port/],
    ['a time below 0', { minConnectTimeout: '-1' }, {}, /minConnectTimeout must be a positive number/],
    ['a size below 0', { targetQueueSize: '-1' }, {}, /targetQueueSize must be a positive number/],
    ['a deployment without a version', { workerDeploymentName: 'a' }, {}, /must both be set/],
    ['a version without a deployment', { workerDeploymentBuildId: 'a' }, {}, /must both be set/],
    ['what is gone', { buildId: 'v1' }, {}, /the setting 'buildId' is gone since KEDA 2.21/],
    ['what is gone, too', { selectAllActive: 'true' }, {}, /'selectAllActive' is gone/],
    ['what is gone, as well', { selectUnversioned: 'true' }, {}, /'selectUnversioned' is gone/],
    ['another queue, and no count', { workflowTaskQueueForCount: 'b' }, {}, /has no effect unless/],
    ['a name that would end the query', { ...busy, taskQueue: "bad' OR '1'='1" }, {}, /characters not allowed/],
    ['a type that there is not', { queueTypes: 'workflow,other' }, {}, /"other" must be one of \[workflow activity nexus\]/],
    ['a certificate without its key', {}, { cert: 'a' }, /both cert and key/],
    ['a key that cannot be read', {}, { cert: 'a', key: 'hunter2', keyPassword: 'x' }, /key cannot be read with keyPassword$/],
  ])('%s', async (_name, more, auth, expected) => {
    expect(await readOf('temporal', given('127.0.0.1:1', more), { auth })).toMatch(expected)
  })

  test.each<[Texts, string]>([
    [{}, 's0-temporal-v2-default'],
    [version, 's0-temporal-v2-default-my-deploy-v1'],
  ])('the name of its metric with %o', async (more, name) => {
    await using world = scalerWorld()
    await using scaler = await opened('temporal', given('127.0.0.1:1', more), {}, world)
    expect(await scaler.metrics(signal)).toMatchObject([{ external: { metric: { name } } }])
  })

  test('an apiKey goes by TLS unless it is told otherwise', async () => {
    using server = await temporalServer({})
    const read = await readOf('temporal', given(server.address), { auth: { apiKey: 'hunter2' } }, { timeoutMs: 500 })
    expect(read).toMatch(/^Temporal at 127.0.0.1/)
    expect(read).not.toContain('hunter2')
    expect(server.asked).toEqual([])
  })
})
