import { once } from 'node:events'
import { connect } from 'node:net'
import { gunzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { OutgoingHttp } from '#kube/client/outgoing-http.ts'
import { systemClock, VirtualClock } from '#kube/clock.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { makeAuthority } from '../authority.ts'
import { startMs, testNode, testNodes } from '../components/cluster-for-tests.ts'
import { fieldsAt, itemsAt, textAt } from '../json-value.ts'
import { startTwin, type Twin, type TwinOptions } from '../twin.ts'
import { testPod } from '../twin-for-tests.ts'

const mostBytes = 1 << 20
const person = { manager: 'kubectl', user: 'ballast-admin' } as const

function grant(account: string, ...resources: readonly string[]): readonly KubeObject[] {
  const apiGroup = 'rbac.authorization.k8s.io'
  const apiVersion = `${apiGroup}/v1`
  return [
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: account, namespace: 'default' } },
    { apiVersion, kind: 'ClusterRole', metadata: { name: account }, rules: [{ apiGroups: [''], resources, verbs: ['get'] }] },
    {
      apiVersion,
      kind: 'ClusterRoleBinding',
      metadata: { name: account },
      roleRef: { apiGroup, kind: 'ClusterRole', name: account },
      subjects: [{ kind: 'ServiceAccount', name: account, namespace: 'default' }],
    },
  ]
}

const accounts = [
  ...grant('scraper', 'nodes/metrics'),
  ...grant('looker', 'nodes/pods', 'nodes/healthz', 'nodes/configz'),
  ...grant('statistician', 'nodes/stats'),
  ...grant('proxy', 'nodes/proxy'),
  ...grant('nobody'),
]

class Site implements AsyncDisposable {
  readonly clock = new VirtualClock(startMs)
  readonly #stack = new AsyncDisposableStack()
  twin!: Twin

  static async start(objects: readonly KubeObject[] = testNodes(2), options: Partial<TwinOptions> = {}): Promise<Site> {
    const site = new Site()
    site.twin = site.#stack.use(
      await startTwin({ clock: site.clock, seed: 1, objects: [...objects, testPod('a'), ...accounts], ...options }),
    )
    await site.clock.quiet()
    return site
  }

  /** A client that believes the twin's authority. */
  async client(certificate?: { readonly certificate: string; readonly key: string }): Promise<OutgoingHttp> {
    const { dial, authority } = this.twin.kubelets
    const tls = { authority: (await authority()).certificate, ...certificate }
    return this.#stack.use(new OutgoingHttp({ clock: this.clock, tls, dial, mostConnections: 1 }))
  }

  async token(serviceAccount: string): Promise<Readonly<Record<string, string>>> {
    return { authorization: `Bearer ${await this.twin.issueToken({ namespace: 'default', serviceAccount })}` }
  }

  edit(name: string, change: (node: KubeObject) => KubeObject): void {
    const node = this.twin.access.get('nodes', undefined, name)
    if (node === undefined) throw new Error(`no node ${name}`)
    this.twin.access.update('nodes', change(node), person, { subresource: 'status' })
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync()
  }
}

const kubelet = 'https://10.0.0.11:10250'
/** What became of a question: its status, or the code that the connection failed with. */
async function became(asking: Promise<{ readonly status: number }>): Promise<number | string> {
  return await asking.then(
    ({ status }) => status,
    (error: unknown) => {
      const code = (one: unknown): string => textAt(one, 'code') ?? ''
      return code(error) || code(fieldsAt(error, 'cause')) || String(error)
    },
  )
}

describe('who may ask what', () => {
  let site: Site
  beforeAll(async () => {
    site = await Site.start()
  })
  afterAll(() => site[Symbol.asyncDispose]())

  const paths = [
    '/healthz',
    '/pods',
    '/configz',
    '/stats/summary',
    '/metrics/resource',
    '/metrics/cadvisor',
    '/logs/x',
    '/exec',
    '/metricsx',
  ]
  // biome-ignore format: a table
  test.each([
    ['scraper',      [403, 403, 403, 403, 200, 200, 403, 403, 403]],
    ['looker',       [200, 200, 200, 403, 403, 403, 403, 403, 403]],
    ['statistician', [403, 403, 403, 200, 403, 403, 403, 403, 403]],
    ['proxy',        [200, 200, 200, 403, 403, 403, 403, 404, 404]],
    ['nobody',       [403, 403, 403, 403, 403, 403, 403, 403, 403]],
  ])('%s', async (account, statuses) => {
    const http = await site.client()
    const headers = await site.token(account)
    const answers = await Promise.all(paths.map(path => http.ask({ url: kubelet + path, headers, mostBytes })))
    expect(answers.map(({ status }) => status)).toEqual(statuses)
  })

  test.each([
    ['nobody at all', {}],
    ['a token that is none', { authorization: 'Bearer nonsense' }],
    ['a password', { authorization: `Basic ${Buffer.from('a:b').toString('base64')}` }],
    ['an empty token', { authorization: 'Bearer' }],
  ])('%s is told 401', async (_, headers: Readonly<Record<string, string>>) => {
    const http = await site.client()
    const answer = await http.ask({ url: `${kubelet}/metrics/resource`, headers, mostBytes })
    expect([answer.status, answer.body.toString()]).toEqual([401, 'Unauthorized'])
  })

  test('a client certificate of the twin’s authority speaks for its user, one of another authority for nobody', async () => {
    const own = await site.twin.kubelets.authority()
    const stranger = await makeAuthority(systemClock.now(), [])
    const asked = async (pair: { readonly certificate: string; readonly key: string }) => {
      const http = await site.client(pair)
      return (await http.ask({ url: `${kubelet}/metrics/resource`, mostBytes })).status
    }
    expect(await asked(await own.issueClient('jane', ['system:masters']))).toBe(200)
    expect(await asked(await own.issueClient('jane', []))).toBe(403)
    expect(await asked(await stranger.issueClient('jane', ['system:masters']))).toBe(401)
  })

  test('the refusal has the words of a kubelet; what changes something is another right, and is not done', async () => {
    const http = await site.client()
    const headers = await site.token('nobody')
    const pods = await http.ask({ url: `${kubelet}/pods`, headers, mostBytes })
    const user = 'system:serviceaccount:default:nobody'
    expect(pods.body.toString()).toBe(`Forbidden (user=${user}, verb=get, resource=nodes, subresource(s)=[pods proxy])\n`)
    const post = await http.ask({ url: `${kubelet}/metrics/resource`, method: 'POST', body: 'x', headers, mostBytes })
    expect(post.body.toString()).toBe(`Forbidden (user=${user}, verb=create, resource=nodes, subresource(s)=[metrics])\n`)
    const admin = await site.client(await (await site.twin.kubelets.authority()).issueClient('jane', ['system:masters']))
    expect((await admin.ask({ url: `${kubelet}/pods`, method: 'POST', body: 'x', mostBytes })).status).toBe(405)
    expect((await admin.ask({ url: `${kubelet}/run/default/a/c`, method: 'POST', body: 'x', mostBytes })).status).toBe(404)
  })

  test('Kubernetes 1.32 knows no right to pods alone', async () => {
    await using old = await Site.start(testNodes(1), { kubernetesVersion: '1.32' })
    const http = await old.client()
    const answer = await http.ask({ url: `${kubelet}/pods`, headers: await old.token('looker'), mostBytes })
    expect([answer.status, answer.body.toString()]).toEqual([403, expect.stringContaining('subresource(s)=[proxy]')])
  })

  test('metrics come as text, as families where those are asked for, and packed where that can be read', async () => {
    const http = await site.client()
    const token = await site.token('scraper')
    const asked = (headers: Readonly<Record<string, string>>) =>
      http.ask({ url: `${kubelet}/metrics/resource`, headers: { ...token, ...headers }, mostBytes })
    const text = await asked({})
    expect(text.contentType).toBe('text/plain; version=0.0.4; charset=utf-8')
    expect(text.body.toString()).toContain('node_cpu_usage_seconds_total')
    expect(gunzipSync((await asked({ 'accept-encoding': 'gzip, br' })).body).toString()).toBe(text.body.toString())
    expect((await asked({ 'accept-encoding': 'gzip;q=0' })).body.toString()).toBe(text.body.toString())
    const accept =
      'application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.6,text/plain;q=0.5'
    const families = await asked({ accept })
    expect(families.contentType).toBe(
      'application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited',
    )
    expect(families.body.toString('latin1')).toContain('node_cpu_usage_seconds_total')
    expect((await asked({ accept: `${accept.replace('q=0.6', 'q=0')}` })).contentType).toBe(text.contentType)
  })
})

describe('where kubelets are', () => {
  test('by each address of a node and by its name, on its port; nowhere else', async () => {
    const addressed = {
      ...testNode('n1'),
      status: {
        addresses: [
          { type: 'InternalIP', address: '10.0.0.11' },
          { type: 'InternalIP', address: 'fd00::11' },
          { type: 'Hostname', address: 'host-1.example' },
        ],
        daemonEndpoints: { kubeletEndpoint: { Port: 10260 } },
      },
    }
    await using site = await Site.start([addressed, testNode('n2')])
    const http = await site.client()
    const headers = await site.token('scraper')
    const at = (host: string) => became(http.ask({ url: `https://${host}/metrics/resource`, headers, mostBytes }))
    for (const host of ['10.0.0.11:10260', '[fd00::11]:10260', 'host-1.example:10260', 'n1:10260', '10.0.0.12:10250', 'n2:10250'])
      expect([host, await at(host)]).toEqual([host, 200])
    expect(await at('10.0.0.11:10250')).toBe('ECONNREFUSED')
    expect(await at('10.0.0.12:10260')).toBe('ECONNREFUSED')
    expect(await at('10.0.0.99:10250')).toBe('EHOSTUNREACH')
  })

  test('of nodes with addresses of any kind: what can stand in no certificate is left out', async () => {
    const longest = `${'a'.repeat(63)}.`.repeat(3) + 'b'.repeat(61)
    const odd = ['', ' ', 'tést', '999.1.1.1', 'fe80::1%eth0', 'x'.repeat(300), '-', '*', 'a b', '10.0.0.1/24', '10.0.0.1'].map(
      address => ({ type: 'InternalIP', address }),
    )
    const shapes = [odd, null]
    const nodes = shapes.map((addresses, at) => ({
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name: at === 0 ? longest : `odd-${at}` },
      status: { addresses, daemonEndpoints: { kubeletEndpoint: { Port: 10_250 } } },
    }))
    await using site = await Site.start(nodes)
    const http = await site.client()
    const headers = await site.token('scraper')
    for (const host of ['10.0.0.1', longest, 'odd-1'])
      expect([host, await became(http.ask({ url: `https://${host}:10250/metrics/resource`, headers, mostBytes }))]).toEqual([
        host,
        200,
      ])
  })

  test('without simulated kubelets there are none', async () => {
    await using site = await Site.start(testNodes(1), { kubelet: false })
    await expect(site.twin.kubelets.dial('10.0.0.11', 10_250)).rejects.toMatchObject({ code: 'ECONNREFUSED' })
  })

  test('the certificate is made anew where a node gets another address; a node that goes takes its server along', async () => {
    await using site = await Site.start()
    const headers = await site.token('scraper')
    const ask = async (host: string) =>
      await became((await site.client()).ask({ url: `https://${host}:10250/metrics/resource`, headers, mostBytes }))
    expect(await ask('10.0.0.11')).toBe(200)
    const before = await site.twin.kubelets.dial('10.0.0.11', 10_250)
    const addresses = [{ type: 'InternalIP', address: '10.9.9.9' }]
    site.edit('n1', node => ({ ...node, status: { ...fieldsAt(node, 'status'), addresses } }))
    expect(await ask('10.9.9.9')).toBe(200)
    expect(await ask('10.0.0.11')).toBe('EHOSTUNREACH')
    expect(await site.twin.kubelets.dial('10.9.9.9', 10_250)).toEqual(before)
    site.twin.access.remove('nodes', undefined, 'n1', person)
    expect(await ask('10.9.9.9')).toBe('EHOSTUNREACH')
    const socket = connect(before.port, before.host)
    const [error] = await once(socket, 'error')
    expect(error).toMatchObject({ code: 'ECONNREFUSED' })
  })

  test('a silent node is not reached, on new connections and on old ones; back again, it answers', async () => {
    await using site = await Site.start()
    const nodes = site.twin.components?.nodes
    const headers = await site.token('scraper')
    const kept = await site.client()
    const ask = (http: OutgoingHttp) => became(http.ask({ url: `${kubelet}/metrics/resource`, headers, mostBytes }))
    expect(await ask(kept)).toBe(200)
    nodes?.kill('n1')
    expect(await ask(kept)).toBe('UND_ERR_SOCKET')
    expect(await ask(kept)).toBe('ETIMEDOUT')
    nodes?.revive('n1')
    expect(await ask(kept)).toBe(200)
  })
})

test('a twin that is told so has each node say where its kubelet is reached from outside, of nodes that come later too', async () => {
  await using site = await Site.start(testNodes(2), { listen: { port: 0, kubelets: true } })
  site.twin.access.create('nodes', testNode('n3'), person)
  await site.clock.quiet()
  const http = new OutgoingHttp({
    clock: site.clock,
    tls: { authority: (await site.twin.kubelets.authority()).certificate },
  })
  const ports = new Set<number>()
  for (const name of ['n1', 'n2', 'n3']) {
    const node = site.twin.access.get('nodes', undefined, name)
    expect(itemsAt(node, 'status', 'addresses')).toEqual([
      { type: 'InternalIP', address: '127.0.0.1' },
      { type: 'Hostname', address: name },
    ])
    const port = Number(fieldsAt(node, 'status', 'daemonEndpoints', 'kubeletEndpoint')?.['Port'])
    ports.add(port)
    const url = `https://127.0.0.1:${port}/stats/summary`
    const { body } = await http.ask({ url, headers: await site.token('statistician'), mostBytes })
    expect(textAt(JSON.parse(body.toString()), 'node', 'nodeName')).toBe(name)
    expect(await site.twin.kubelets.dial('127.0.0.1', port)).toEqual({ host: '127.0.0.1', port })
  }
  expect(ports.size).toBe(3)
  const [port = 0] = ports
  site.twin.components?.nodes.kill('n1')
  const url = `https://127.0.0.1:${port}/healthz`
  // Both on a connection that was open and on a new one nobody says anything, not even that nobody is there.
  expect(await became(http.ask({ url, mostBytes, signal: AbortSignal.timeout(50) }))).toContain('timeout')
  await using another = new OutgoingHttp({ clock: site.clock, connectMs: 50 })
  expect(await became(another.ask({ url, mostBytes }))).toBe('UND_ERR_CONNECT_TIMEOUT')
  await http[Symbol.asyncDispose]()
})
