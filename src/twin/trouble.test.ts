// A fault of the twin is told where it happened and ends there: the process, the other requests and the other objects go on.
import { connect } from 'node:http2'
import { expect, test } from 'vitest'
import { systemClock, VirtualClock } from '#kube/clock.ts'
import { type Log, silentLog } from '#kube/log.ts'
import { seededRandom } from '#kube/random.ts'
import type { TwinRequest, TwinResponse } from './api/request.ts'
import { makeAuthority } from './authority.ts'
import { TestCluster, testNodes } from './components/cluster-for-tests.ts'
import { ComponentLoop, type LoopFailure } from './components/loop.ts'
import { startHttpServer } from './http-server.ts'
import { Store } from './store.ts'
import { seldom, type TwinTrouble, troubleLog, troubleText } from './trouble.ts'
import { itemNames, startTestTwin, testConfigMap, testPod } from './twin-for-tests.ts'
import { BrokenAnswer, unbroken } from './unbroken-stream.ts'

/** A clock that stands for a bug anywhere: whoever asks it for the time meets one. */
class BrokenClock extends VirtualClock {
  isBroken = false

  override now(): number {
    if (this.isBroken) throw new TypeError('a bug')
    return super.now()
  }
}

const pods = '/api/v1/namespaces/default/pods'
const table = { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' }

test.each([
  ['POST', pods, { body: testPod('q') }],
  ['DELETE', `${pods}/p`, {}],
  ['DELETE', pods, {}],
  ['POST', `${pods}/p/eviction`, { body: { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name: 'p' } } }],
  ['PATCH', `${pods}/p`, { body: { metadata: { labels: { a: 'b' } } }, contentType: 'application/merge-patch+json', ...table }],
  ['GET', pods, table],
  ['GET', `${pods}/p`, table],
] as const)('a bug in %s %s is a 500 of reason InternalError, told with verb and path', async (verb, path, options) => {
  const told: TwinTrouble[] = []
  const clock = new BrokenClock(Date.parse('2026-01-01T00:00:00Z'))
  await using twin = await startTestTwin([testPod('p')], { clock, wire: systemClock, onTrouble: trouble => told.push(trouble) })
  clock.isBroken = true
  const answer = await twin.client.call(verb, path, options)
  clock.isBroken = false
  expect(answer).toMatchObject({ status: 500, body: { kind: 'Status', status: 'Failure', reason: 'InternalError', code: 500 } })
  // The record of requests asks for the time as well.
  expect(told).toMatchObject([
    { kind: 'request', where: `${verb} ${path}`, count: 1 },
    { where: `the record of ${verb} ${path}` },
  ])
  expect(itemNames((await twin.client.get(pods)).body)).toContain('p')
})

async function* chunksThatBreak(): AsyncGenerator<string> {
  yield 'first\n'
  throw new TypeError('a bug')
}

async function collected(chunks: AsyncIterable<string | Uint8Array>): Promise<string> {
  let text = ''
  for await (const chunk of chunks) text += String(chunk)
  return text
}

const request = { method: 'GET', path: pods, signal: new AbortController().signal } as TwinRequest

test('a watch that breaks says ERROR and ends; any other answer breaks off', async () => {
  const told: string[] = []
  const parts = { request, onTrouble: (trouble: TwinTrouble) => told.push(troubleText(trouble)) }
  const [first, last] = (await collected(unbroken(chunksThatBreak(), { ...parts, isWatch: true }))).split('\n')
  expect(first).toBe('first')
  expect(JSON.parse(last ?? '')).toMatchObject({ type: 'ERROR', object: { kind: 'Status', reason: 'InternalError', code: 500 } })
  await expect(collected(unbroken(chunksThatBreak(), { ...parts, isWatch: false }))).rejects.toThrow(BrokenAnswer)
  expect(told).toEqual([`the twin: GET ${pods} broke off: a bug`, `the twin: GET ${pods} broke off: a bug`])
})

test('over HTTP a bug costs its own stream: the others of the connection go on', async () => {
  const told: TwinTrouble[] = []
  const authority = await makeAuthority(systemClock.now(), ['127.0.0.1'])
  const onTrouble = (trouble: TwinTrouble) => told.push(trouble)
  const answers: Readonly<Record<string, () => TwinResponse>> = {
    '/fine': () => ({ kind: 'whole', status: 200, headers: {}, body: 'fine' }),
    '/broken': () => {
      throw new TypeError('a bug')
    },
    '/cut': () => ({
      kind: 'stream',
      status: 200,
      headers: {},
      chunks: unbroken(chunksThatBreak(), { request, isWatch: false, onTrouble }),
    }),
  }
  const handler = async ({ path }: TwinRequest) =>
    answers[path]?.() ?? { kind: 'whole' as const, status: 404, headers: {}, body: '' }
  const server = await startHttpServer(handler, authority.server, { port: 0, bind: '127.0.0.1', clock: systemClock, onTrouble })
  const session = connect(`https://127.0.0.1:${server.port}`, { ca: authority.certificate })
  const ask = (path: string) =>
    new Promise<string>(resolve => {
      const stream = session.request({ ':path': path })
      let [status, text] = ['', '']
      stream.on('response', headers => {
        status = String(headers[':status'])
      })
      stream.on('data', chunk => {
        text += String(chunk)
      })
      stream.on('error', error => resolve(`${status} ${text.trim()} ${error.message}`))
      stream.on('end', () => resolve(`${status} ${text}`))
    })
  try {
    const [broken, cut, fine] = await Promise.all([ask('/broken'), ask('/cut'), ask('/fine')])
    expect(broken).toMatch(/^500 \{"kind":"Status".*"reason":"InternalError"/)
    expect(cut).toMatch(/^200 first .*INTERNAL_ERROR/)
    expect(fine).toBe('200 fine')
    expect(await ask('/fine')).toBe('200 fine')
    expect(told.map(({ kind, where }) => `${kind} ${where}`).toSorted()).toEqual([`stream GET ${pods}`, 'stream GET /broken'])
  } finally {
    session.destroy()
    await server.close()
  }
})

test('a listener that cannot follow a change stops neither the write nor the other listeners', () => {
  const told: TwinTrouble[] = []
  const heard: string[] = []
  const store = new Store({ onTrouble: trouble => told.push(trouble) })
  store.subscribe('configmaps', () => {
    throw new TypeError('a bug')
  })
  store.subscribe('configmaps', ({ type, object }) => heard.push(`${type} ${object.metadata.name}`))
  store.put('configmaps', testConfigMap('a'))
  store.remove('configmaps', 'default', 'a')
  expect(heard).toEqual(['ADDED a', 'DELETED a'])
  expect(told.map(troubleText)).toEqual(Array(2).fill('the twin: ConfigMap default/a missed a change: a bug'))
})

test('an item that fails for ever is told, waits longer each time and is waited for by nobody; the others are worked on', async () => {
  const failures: LoopFailure[] = []
  const clock = new VirtualClock(0)
  using loop = new ComponentLoop(clock, failure => failures.push(failure))
  const worked: string[] = []
  const queue = loop.queue('deployments.apps', key => {
    if (key === 'a/bad') throw new TypeError('a bug')
    worked.push(key)
  })
  for (const key of ['a/one', 'a/bad', 'a/two']) queue.add(key)
  for (let step = 0; step < 20 && !loop.isSettled; step++) clock.step()
  expect(worked).toEqual(['a/one', 'a/two'])
  expect(loop.isSettled).toBe(true)
  expect(failures.map(({ count }) => count)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
  const told: number[] = []
  for (const { queue: where, error, count } of failures)
    seldom(trouble => told.push(trouble.count))({ kind: 'component', where, error, count })
  expect(told).toEqual([1, 2, 4, 8])
})

test('what looks at all nodes goes on behind one that breaks it', () => {
  const failures: string[] = []
  using loop = new ComponentLoop(new VirtualClock(0), ({ queue, key, count }) => failures.push(`${queue} ${key} ${count}`))
  const seen: string[] = []
  for (const round of [1, 2])
    for (const node of ['n1', 'n2', 'n3'])
      loop.alone('node-memory', node, () => {
        if (node === 'n2' && round < 3) throw new TypeError('a bug')
        seen.push(node)
      })
  expect(seen).toEqual(['n1', 'n3', 'n1', 'n3'])
  expect(failures).toEqual(['node-memory n2 1', 'node-memory n2 2'])
})

test('a pod that the scheduler cannot decide about is told so, and the next one is bound', async () => {
  const told: string[] = []
  const random = seededRandom(1)
  let isBroken = false
  await using cluster = await TestCluster.start(testNodes(2), {
    random: () => {
      if (isBroken) throw new TypeError('a bug')
      return random()
    },
    events: 'off',
    onTrouble: trouble => told.push(`${trouble.kind} ${trouble.where}`),
  })
  const pod = (name: string) => ({ ...testPod(name), spec: { containers: [{ name: 'c', image: 'x' }] }, status: {} })
  cluster.create('pods', pod('first'))
  isBroken = true
  while (told.length === 0 && cluster.clock.step());
  isBroken = false
  cluster.create('pods', pod('second'))
  await cluster.settle()
  expect(told).toEqual(['object scheduler default/first'])
  expect(cluster.get('pods', 'second')?.spec.nodeName).toMatch(/^n/)
  const conditions = cluster.get('pods', 'first')?.status?.conditions
  expect(conditions?.find(({ type }) => type === 'PodScheduled')).toMatchObject({
    status: 'False',
    reason: 'SchedulerError',
    message: 'a bug',
  })
})

test('in a log a trouble is an error with its place and its stack', () => {
  const lines: unknown[] = []
  const log: Log = { ...silentLog, error: (facts, message) => lines.push({ ...facts, message }) }
  troubleLog(log)({ kind: 'request', where: 'GET /api/v1/pods', error: new TypeError('a bug'), count: 1 })
  expect(lines).toMatchObject([
    {
      kind: 'request',
      where: 'GET /api/v1/pods',
      error: 'a bug',
      stack: expect.stringContaining('trouble.test.ts'),
      message: 'the twin: GET /api/v1/pods was answered with 500: a bug',
    },
  ])
})
