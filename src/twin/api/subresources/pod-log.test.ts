import { describe, expect, test } from 'vitest'
import { TestCluster, testNodes } from '../../components/cluster-for-tests.ts'
import { TestClient } from '../../twin-for-tests.ts'

const containers = [
  { name: 'main', image: 'app:1' },
  { name: 'side', image: 'side:1' },
]

const pod = (name: string, annotations: Readonly<Record<string, string>> = {}, spec: object = {}) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'default', annotations },
  spec: { containers: [{ name: 'main', image: 'app:1' }], ...spec },
})

async function started(...objects: readonly ReturnType<typeof pod>[]) {
  const cluster = await TestCluster.start([...testNodes(1), ...objects])
  // A run that ends by itself would be over.
  for (const { metadata } of objects)
    if ('ballast.dev/twin-run-for' in metadata.annotations)
      while (Number.isNaN(startedOf(cluster, metadata.name))) await cluster.clock.advance(1000)
  if (!objects.some(({ metadata }) => 'ballast.dev/twin-run-for' in metadata.annotations)) await cluster.settle()
  const client = new TestClient(cluster.twin.transport({ admin: true }))
  const log = (name: string, query = '') => client.get(`/api/v1/namespaces/default/pods/${name}/log?${query}`)
  const stream = async (name: string, query = '') => {
    const transport = cluster.twin.transport({ admin: true })
    const { chunks } = await transport.stream({
      verb: 'GET',
      path: `/api/v1/namespaces/default/pods/${name}/log`,
      query: { follow: 'true', ...Object.fromEntries(new URLSearchParams(query)) },
      headers: {},
      signal: AbortSignal.timeout(60_000),
    })
    return chunks[Symbol.asyncIterator]()
  }
  return { cluster, log, stream }
}

const startedOf = (cluster: TestCluster, name: string) =>
  Date.parse(cluster.get('pods', name)?.status?.containerStatuses?.[0]?.state?.running?.startedAt ?? '')

async function read(chunks: AsyncIterator<Uint8Array>): Promise<string> {
  const { value, done } = await chunks.next()
  return done === true ? '' : new TextDecoder().decode(value)
}

describe('the log of a container', () => {
  test('has what its pod says, in all the ways in which it can be asked for', async () => {
    const script = { 'ballast.dev/twin-log': 'listening\nevery 10s: tick {n}' }
    const { cluster, log } = await started(pod('web', script))
    await using _cluster = cluster
    const beganMs = startedOf(cluster, 'web')
    await cluster.clock.advance(beganMs + 35_500 - cluster.clock.now())
    const head = 'container main of pod default/web started on node n1, image app:1\n'
    const answer = await log('web')
    expect(answer.headers['content-type']).toBe('text/plain')
    expect(answer.text).toBe(`${head}listening\ntick 1\ntick 2\ntick 3\n`)
    expect((await log('web', 'tailLines=2')).text).toBe('tick 2\ntick 3\n')
    expect((await log('web', 'tailLines=0')).text).toBe('')
    expect((await log('web', 'sinceSeconds=16')).text).toBe('tick 2\ntick 3\n')
    expect((await log('web', 'tailLines=1&sinceSeconds=1')).text).toBe('')
    expect((await log('web', `sinceTime=${new Date(beganMs + 30_000).toISOString()}`)).text).toBe('tick 3\n')
    const stamp = new Date(beganMs + 30_000).toISOString().replace('Z', '000000Z')
    expect((await log('web', 'tailLines=1&timestamps=true')).text).toBe(`${stamp} tick 3\n`)
    expect((await log('web', 'limitBytes=9')).text).toBe('container')
    expect((await log('web', 'follow=true&limitBytes=9')).text).toBe('container')
  })

  test('is followed until its container ends, and the one before is kept', async () => {
    const { cluster, log, stream } = await started(
      pod('web', { 'ballast.dev/twin-log': 'every 60s: tick {n}', 'ballast.dev/twin-run-for': '150s' }),
    )
    await using _cluster = cluster
    const beganMs = startedOf(cluster, 'web')
    const chunks = await stream('web', 'tailLines=0')
    expect(await read(chunks)).toBe('')
    const next = read(chunks)
    await cluster.clock.advance(beganMs + 60_000 - cluster.clock.now())
    expect(await next).toBe('tick 1\n')
    const second = read(chunks)
    await cluster.clock.advance(60_000)
    expect(await second).toBe('tick 2\n')
    const rest = (async () => {
      let text = ''
      for (let part = await chunks.next(); part.done !== true; part = await chunks.next())
        text += new TextDecoder().decode(part.value)
      return text
    })()
    await cluster.clock.advance(240_000)
    expect(await rest).toMatch(/^(tick 3\n)?(done|failed: exit code \d+|received SIGTERM, ending)\n$/)
    expect((await log('web', 'previous=true')).text).toMatch(/^container main .*\ntick 1\ntick 2\n(tick 3\n)?.*\n$/)
  })

  test('ends for who follows it when its pod is deleted', async () => {
    const { cluster, stream } = await started(pod('web'))
    await using _cluster = cluster
    const chunks = await stream('web')
    expect(await read(chunks)).toContain('started on node n1')
    const rest = read(chunks)
    cluster.access.remove('pods', 'default', 'web', { manager: 'kubectl', user: 'ballast-admin' })
    await cluster.settle()
    expect(await rest).toContain('SIGTERM')
    expect((await chunks.next()).done).toBe(true)
  })

  test('of init containers and of failures', async () => {
    const { cluster, log } = await started(
      pod('two', { 'ballast.dev/twin-log': '[setup] made it ready' }, { initContainers: [{ name: 'setup', image: 's:1' }] }),
      pod('job', { 'ballast.dev/twin-fail': 'Error' }, { restartPolicy: 'Never' }),
    )
    await using _cluster = cluster
    expect((await log('two', 'container=setup')).text).toMatch(/^container setup .*\nmade it ready\ndone\n$/)
    expect((await log('two')).text).toMatch(/^container main .*\n$/)
    expect((await log('job')).text).toMatch(/\nfailed: exit code 1\n$/)
  })

  test('is refused in the words of kube-apiserver and kubelet', async () => {
    const setup = { containers, initContainers: [{ name: 'setup', image: 's:1' }] }
    const { cluster, log } = await started(
      pod('two', {}, setup),
      pod('bad', { 'ballast.dev/twin-fail': 'ImagePullBackOff' }),
      pod('nowhere', {}, { nodeSelector: { no: 'node' } }),
    )
    await using _cluster = cluster
    const rows: readonly (readonly [string, string, number, string])[] = [
      ['none', '', 404, 'pods "none" not found'],
      [
        'two',
        '',
        400,
        'a container name must be specified for pod two, choose one of: [main side] or one of the init containers: [setup]',
      ],
      ['two', 'container=x', 400, 'container x is not valid for pod two'],
      ['two', 'container=main&previous=1', 400, 'previous terminated container "main" in pod "two" not found'],
      ['two', 'tailLines=x', 400, 'strconv.ParseInt: parsing "x": invalid syntax'],
      [
        'two',
        'tailLines=-1',
        422,
        'PodLogOptions "two" is invalid: tailLines: Invalid value: -1: must be greater than or equal to 0',
      ],
      ['two', 'limitBytes=0', 422, 'PodLogOptions "two" is invalid: limitBytes: Invalid value: 0: must be greater than 0'],
      ['two', 'sinceSeconds=0', 422, 'PodLogOptions "two" is invalid: sinceSeconds: Invalid value: 0: must be greater than 0'],
    ]
    for (const [name, query, status, message] of rows)
      expect(await log(name, query), `${name} ${query}`).toMatchObject({ status, message })
    const waiting =
      /^container "main" in pod "bad" is waiting to start: (image can't be pulled|trying and failing to pull image)$/
    expect(await log('bad')).toMatchObject({ status: 400, message: expect.stringMatching(waiting) })
    expect(await log('nowhere')).toMatchObject({ status: 204, text: '' })
  })
})
