// Who may see and do what, in each mode, with the twin's own reviews.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { plan } from '#coordination/plans/testdata/objects.ts'
import { hostClock, VirtualClock } from '#kube/clock.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { issueAuthority, issueLeaf, type KeyPair } from '#kube/server/certificates.ts'
import { bookWith, homelab, pictureOf } from '../views/testdata/homelab.ts'
import { ask, type Received, type Sent, startTestDashboard, type TestDashboard, TestStream } from './dashboard-for-tests.ts'

const rbac = 'rbac.authorization.k8s.io'
const made = plan()
const proposed = { ...made, spec: { ...made.spec, approved: false }, status: { phase: 'Proposed' as const } }
const picture = pictureOf(homelab(), { book: bookWith({ plans: [proposed] }) })
/** One pod of each of two namespaces. */
const [inMedia, inMonitoring] = ['media', 'monitoring'].map(namespace =>
  [...picture.state.pods.values()].find(pod => pod.namespace === namespace && pod.workload !== undefined),
)

function account(name: string): KubeObject {
  return { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name, namespace: 'default' } }
}

interface Bound {
  readonly rules: readonly object[]
  readonly namespace?: string
  readonly subject: object
}

function bound(name: string, { rules, namespace, subject }: Bound): readonly KubeObject[] {
  const kind = namespace === undefined ? 'ClusterRole' : 'Role'
  const metadata = { name, ...(namespace === undefined ? {} : { namespace }) }
  return [
    { apiVersion: `${rbac}/v1`, kind, metadata, rules },
    { apiVersion: `${rbac}/v1`, kind: `${kind}Binding`, metadata, roleRef: { apiGroup: rbac, kind, name }, subjects: [subject] },
  ]
}

const serviceAccount = (name: string) => ({ kind: 'ServiceAccount', name, namespace: 'default' })
const user = (name: string) => ({ kind: 'User', name, apiGroup: rbac })
const reading = [
  { apiGroups: [''], resources: ['nodes'], verbs: ['list'] },
  { apiGroups: ['ballast.dev'], resources: ['rebalanceplans', 'disruptionpermits'], verbs: ['list'] },
]
const pods = [{ apiGroups: [''], resources: ['pods'], verbs: ['list'] }]
const configuration = [{ apiGroups: [''], resources: ['configmaps'], verbs: ['list'] }]
const acting = [{ apiGroups: ['ballast.dev'], resources: ['rebalanceplans'], verbs: ['patch'] }]

const objects: readonly KubeObject[] = [
  ...['ballast-system', 'media', 'monitoring', 'shop'].map(
    (name): KubeObject => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } }),
  ),
  ...['reader', 'all', 'nobody'].map(account),
  ...bound('reads', { rules: reading, subject: serviceAccount('reader') }),
  ...bound('reads-media', { rules: pods, namespace: 'media', subject: serviceAccount('reader') }),
  ...bound('all', { rules: [...reading, ...pods, ...acting], subject: serviceAccount('all') }),
  ...bound('reads-configuration', { rules: configuration, namespace: 'ballast-system', subject: serviceAccount('all') }),
  ...bound('jane', { rules: [...reading, ...pods, ...acting], subject: user('jane') }),
  ...bound('joe', { rules: reading, subject: user('joe') }),
  {
    apiVersion: 'ballast.dev/v1alpha1',
    kind: 'RebalancePlan',
    metadata: { name: 'talos-0', uid: 'uid-plan' },
    spec: { ...proposed.spec },
  },
]

const approve = JSON.stringify({ revision: 'e1.1', plan: 'talos-0', snapshotHash: 'sha256:0' })
const approval = (of: TestDashboard) => {
  const found = of.twin.dump().find(({ kind }) => kind === 'RebalancePlan')
  return [JSON.stringify(found?.['spec']).includes('"approved":true'), found?.metadata.annotations?.['ballast.dev/approved-by']]
}

function writing(port: number, more: Readonly<Record<string, string>> = {}, scheme = 'http'): Record<string, string> {
  return { origin: `${scheme}://127.0.0.1:${port}`, 'ballast-action': '1', 'content-type': 'application/json', ...more }
}

async function tokenDashboard(clock = hostClock({ speed: 20 })) {
  return startTestDashboard({ picture, objects, clock, section: { auth: { mode: 'token' }, actions: true } })
}

async function signIn(of: TestDashboard, name: string, ask: { audiences?: readonly string[]; seconds?: number } = {}) {
  const token = await of.twin.issueToken({ namespace: 'default', serviceAccount: name, ...ask })
  const answer = await of.ask('/api/v1/session', { method: 'POST', headers: writing(of.port), body: JSON.stringify({ token }) })
  const cookie = String(answer.headers['set-cookie']?.[0] ?? '')
  return { token, answer, cookie, pair: cookie.split(';')[0] ?? '' }
}

describe('mode token', () => {
  test('shows a page to sign in and nothing of the cluster', async () => {
    await using of = await tokenDashboard()
    const page = await of.ask('/', { headers: { accept: 'text/html' } })
    expect(page.status).toBe(401)
    expect(page.text).not.toMatch(/talos/)
    for (const path of ['/api/v1/overview', '/api/v1/stream?topics=overview', '/api/v1/export/nodes.csv', '/api/v1/version'])
      expect([(await of.ask(path)).status, (await of.ask(path)).code]).toEqual([401, 'sign-in-needed'])
    expect((await of.ask('/assets/main-a1.js')).status).toBe(200)
    expect((await of.ask('/healthz')).text).toBe('ok')
  })

  test('gives for a good token a cookie that no script reads and no other site sends', async () => {
    await using of = await tokenDashboard()
    const { answer, cookie, pair, token } = await signIn(of, 'reader')
    expect([answer.status, answer.json]).toMatchObject([200, { name: 'system:serviceaccount:default:reader' }])
    expect(cookie).toMatch(/^__Host-ballast=[\w-]{43}; Path=\/; Max-Age=\d+; HttpOnly; Secure; SameSite=Strict$/)
    expect(Number(/Max-Age=(\d+)/.exec(cookie)?.[1])).toBeLessThanOrEqual(8 * 3_600)
    expect(cookie).not.toContain(token)
    expect((await of.ask('/api/v1/overview', { headers: { cookie: pair } })).status).toBe(200)
    expect((await of.ask('/api/v1/overview', { headers: { cookie: `${pair}x` } })).code).toBe('session-over')
  })

  test.each(['rubbish', 'a.b.c', ''])('refuses the token %j', async token => {
    await using of = await tokenDashboard()
    const answer = await of.ask('/api/v1/session', { method: 'POST', headers: writing(of.port), body: JSON.stringify({ token }) })
    expect([answer.status, answer.headers['set-cookie']]).toEqual([token === '' ? 400 : 401, undefined])
  })

  test('wants the audience that is configured', async () => {
    const section = { auth: { mode: 'token', tokenAudiences: ['ballast'] } }
    await using of = await startTestDashboard({ picture, objects, section })
    expect((await signIn(of, 'reader', { audiences: ['other'] })).answer.status).toBe(401)
    expect((await signIn(of, 'reader', { audiences: ['ballast'] })).answer.status).toBe(200)
  })

  test('does not end before the token, nor after it, and never later than 8 hours', async () => {
    const clock = new VirtualClock(hostClock().now())
    await using of = await startTestDashboard({ picture, objects, clock, section: { auth: { mode: 'token' } } })
    const short = await signIn(of, 'reader', { seconds: 3_600 })
    const long = await signIn(of, 'reader', { seconds: 86_400 })
    expect(Number(/Max-Age=(\d+)/.exec(long.cookie)?.[1])).toBe(8 * 3_600)
    const status = async ({ pair }: { pair: string }) => (await of.ask('/api/v1/me', { headers: { cookie: pair } })).status
    await clock.advance(3_500_000)
    expect([await status(short), await status(long)]).toEqual([200, 200])
    await clock.advance(200_000)
    expect([await status(short), await status(long)]).toEqual([401, 200])
    await clock.advance(8 * 3_600_000)
    expect(await status(long)).toBe(401)
  })

  test('DELETE ends the session, with its streams', async () => {
    await using of = await tokenDashboard()
    const { pair } = await signIn(of, 'reader')
    const other = await signIn(of, 'reader')
    using stream = await TestStream.open(of.port, '/api/v1/stream?topics=overview', { cookie: pair })
    using kept = await TestStream.open(of.port, '/api/v1/stream?topics=overview', { cookie: other.pair })
    await stream.until(({ name }) => name === 'snapshot')
    const answer = await of.ask('/api/v1/session', { method: 'DELETE', headers: writing(of.port, { cookie: pair }) })
    expect([answer.status, answer.headers['set-cookie']?.[0]]).toEqual([
      204,
      '__Host-ballast=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Strict',
    ])
    expect(await stream.until(({ name }) => name === 'bye')).toMatchObject({ data: { reason: 'session-ended' } })
    await stream.ended()
    expect((await of.ask('/api/v1/me', { headers: { cookie: pair } })).code).toBe('session-over')
    await kept.until(({ name }) => name === 'snapshot')
    expect(kept.events.map(({ name }) => name)).not.toContain('bye')
  })

  test('an account that is gone ends its session within a minute, with its streams', async () => {
    const clock = new VirtualClock(hostClock().now())
    await using of = await startTestDashboard({ picture, objects, clock, section: { auth: { mode: 'token' } } })
    const { pair } = await signIn(of, 'reader')
    using stream = await TestStream.open(of.port, '/api/v1/stream?topics=overview', { cookie: pair })
    await stream.until(({ name }) => name === 'hello')
    of.twin.access.remove('serviceaccounts', 'default', 'reader', { manager: 'test', user: 'admin' })
    await clock.advance(61_000)
    expect(await stream.until(({ name }) => name === 'bye')).toMatchObject({ data: { reason: 'session-ended' } })
    expect((await of.ask('/api/v1/me', { headers: { cookie: pair } })).status).toBe(401)
  })

  test('a right that is taken away is gone from a stream within two minutes, without another sign-in', async () => {
    const clock = new VirtualClock(hostClock().now())
    await using of = await startTestDashboard({ picture, objects, clock, section: { auth: { mode: 'token' } } })
    const { pair } = await signIn(of, 'reader')
    using stream = await TestStream.open(of.port, '/api/v1/stream?topics=overview,permits', { cookie: pair })
    await stream.until(({ name }) => name === 'hello')
    of.twin.access.remove('clusterrolebindings.rbac.authorization.k8s.io', undefined, 'reads', { manager: 'test', user: 'admin' })
    await clock.advance(125_000)
    expect(await stream.until(({ name }) => name === 'gone')).toMatchObject({ data: { error: { code: 'reading-forbidden' } } })
    expect((await of.ask('/api/v1/permits', { headers: { cookie: pair } })).status).toBe(403)
  })

  test('D24: who may not patch plans is told so, and nothing is written', async () => {
    await using of = await tokenDashboard()
    const { pair } = await signIn(of, 'reader')
    const me = await of.ask('/api/v1/me', { headers: { cookie: pair } })
    const because = 'Your account lacks patch on rebalanceplans (ballast.dev).'
    expect(me.json).toMatchObject({ can: { approve: { allowed: false, because } } })
    const answer = await of.ask('/api/v1/actions/approve', {
      method: 'POST',
      headers: writing(of.port, { cookie: pair }),
      body: approve,
    })
    expect([answer.status, answer.json]).toMatchObject([403, { error: { code: 'action-forbidden', message: because } }])
    expect(approval(of)).toEqual([false, undefined])
  })

  test('writes are made with the token of the viewer, who is named', async () => {
    await using of = await tokenDashboard()
    const { pair } = await signIn(of, 'all')
    const answer = await of.ask('/api/v1/actions/approve', {
      method: 'POST',
      headers: writing(of.port, { cookie: pair }),
      body: approve,
    })
    expect([answer.status, answer.json]).toMatchObject([200, { done: true }])
    expect(approval(of)).toEqual([true, 'system:serviceaccount:default:all'])
    const write = of.twin.requests.entries.findLast(({ path }) => path.endsWith('/rebalanceplans/talos-0'))
    expect(JSON.stringify(write)).toContain('system:serviceaccount:default:all')
  })

  test('a link of another site, without the cookie, asks once more by itself', async () => {
    await using of = await tokenDashboard()
    const linked = { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' }
    const page = await of.ask('/permits', { headers: linked })
    expect([page.status, page.text]).toEqual([200, expect.stringContaining('http-equiv="refresh"')])
  })
})

describe('what is not listable is counted and not named', () => {
  const paths = [
    '/api/v1/overview',
    '/api/v1/search?q=s',
    '/api/v1/workloads',
    '/api/v1/plans/talos-0',
    '/api/v1/nodes/talos00/pods?limit=500',
  ]

  test('of two viewers at once, one after the other, over GET and stream', async () => {
    await using of = await tokenDashboard()
    const [all, reader] = [(await signIn(of, 'all')).pair, (await signIn(of, 'reader')).pair]
    const podOf = async (cookie: string) => (await of.ask('/api/v1/nodes/talos00/pods?limit=500', { headers: { cookie } })).text
    const hidden = [...picture.state.pods.values()]
      .filter(({ namespace }) => !['media'].includes(namespace))
      .map(({ name }) => name)
    for (let round = 0; round < 3; round++) {
      const [seen, counted] = await Promise.all([podOf(all), podOf(reader)])
      expect(hidden.some(name => seen.includes(`"${name}"`))).toBe(true)
      for (const name of hidden) expect(counted).not.toContain(`"${name}"`)
    }
    for (const path of paths) {
      const { text } = await of.ask(path, { headers: { cookie: reader } })
      for (const name of hidden) expect(text).not.toContain(`"${name}"`)
    }
  })

  test('settings are for who may read the configuration', async () => {
    await using of = await tokenDashboard()
    const get = async (name: string) => of.ask('/api/v1/settings', { headers: { cookie: (await signIn(of, name)).pair } })
    expect((await get('all')).status).toBe(200)
    const refused = await get('reader')
    const message = 'You may not see settings: your account lacks list on configmaps in ballast-system.'
    expect([refused.status, refused.json]).toMatchObject([403, { error: { code: 'reading-forbidden', message } }])
  })

  test('a workload of another namespace is forbidden in the words of the page, one of one’s own is shown', async () => {
    await using of = await tokenDashboard()
    const { pair } = await signIn(of, 'reader')
    const get = (path: string) => of.ask(path, { headers: { cookie: pair } })
    const workload = (of: typeof inMedia) => `${of?.workload?.namespace}/${of?.workload?.kind}/${of?.workload?.name}`
    const refused = await get(`/api/v1/workloads/${workload(inMonitoring)}`)
    expect([refused.status, refused.json]).toMatchObject([
      403,
      {
        error: {
          code: 'reading-forbidden',
          message: `You may not see monitoring/${inMonitoring?.workload?.name}: your account lacks list on pods in monitoring.`,
        },
      },
    ])
    expect((await get(`/api/v1/workloads/${workload(inMedia)}`)).status).not.toBe(403)
    using stream = await TestStream.open(of.port, `/api/v1/stream?topics=overview,workload:${workload(inMonitoring)}`, {
      cookie: pair,
    })
    const gone = await stream.until(({ name }) => name === 'gone')
    expect(gone).toMatchObject({ data: { topic: `workload:${workload(inMonitoring)}`, error: { code: 'reading-forbidden' } } })
    expect(stream.events[0]?.name).toBe('hello')
  })

  test('who may list nothing sees a page that says so', async () => {
    await using of = await tokenDashboard()
    const { pair } = await signIn(of, 'nobody')
    const answer = await of.ask('/api/v1/permits', { headers: { cookie: pair } })
    expect([answer.status, answer.json]).toMatchObject([
      403,
      {
        error: {
          message: 'You may not see permits: your account lacks list on disruptionpermits (ballast.dev) in ballast-system.',
        },
      },
    ])
    const page = await of.ask('/', { headers: { cookie: pair } })
    expect(page.text).toContain('You may not see nodes: your account lacks list on nodes.')
    expect(page.text).not.toContain('talos00')
    for (const path of [
      '/api/v1/overview',
      '/api/v1/nodes',
      '/api/v1/export/nodes.csv',
      '/api/v1/export/permits.csv',
      '/api/v1/plans',
    ])
      expect([path, (await of.ask(path, { headers: { cookie: pair } })).status]).toEqual([path, 403])
  })
})

describe('mode proxy', () => {
  async function certificates() {
    const nowMs = hostClock().now()
    const folder = mkdtempSync(join(tmpdir(), 'ballast-proxy-'))
    const authority = await issueAuthority({ commonName: 'proxies', nowMs })
    const stranger = await issueAuthority({ commonName: 'strangers', nowMs })
    const client = (of: KeyPair, commonName: string) => issueLeaf(of, { commonName, usages: ['client'], nowMs })
    const caFile = join(folder, 'ca.pem')
    writeFileSync(caFile, authority.certificate)
    onTestFinished(() => rmSync(folder, { recursive: true }))
    return {
      caFile,
      good: await client(authority, 'front'),
      otherName: await client(authority, 'back'),
      bad: await client(stranger, 'front'),
    }
  }

  const asUser = (name: string, more: Readonly<Record<string, string | readonly string[]>> = {}) => ({
    'x-remote-user': name,
    ...more,
  })
  const shown = ({ certificate, key }: KeyPair) => ({ cert: certificate, key })

  test('believes the headers of a proxy with its certificate, and nobody else', async () => {
    const { caFile, good, otherName, bad } = await certificates()
    const section = { auth: { mode: 'proxy', proxy: { caFile, allowedNames: ['front'] } }, actions: true }
    await using of = await startTestDashboard({ picture, objects, section })
    const me = (sent: Sent): Promise<Received> => ask(of.port, '/api/v1/me', sent)
    expect((await me({ tls: shown(good), headers: asUser('jane', { 'x-remote-group': 'dev,ops' }) })).json).toMatchObject({
      name: 'jane',
      groups: ['dev', 'ops', 'system:authenticated'],
    })
    const refusals = await Promise.all([
      me({ tls: {}, headers: asUser('jane') }),
      me({ tls: shown(bad), headers: asUser('jane') }),
      me({ tls: shown(otherName), headers: asUser('jane') }),
      me({ tls: shown(good) }),
      me({ tls: shown(good), headers: { 'x-remote-user': ['jane', 'root'] } }),
    ])
    expect(refusals.map(({ status, code }) => [status, code])).toEqual([
      [401, 'proxy-unknown'],
      [401, 'proxy-unknown'],
      [401, 'proxy-unknown'],
      [401, 'proxy-user-missing'],
      [401, 'proxy-user-missing'],
    ])
  })

  test('a forwarder on this machine needs no certificate where that is configured; rights are those of the user', async () => {
    const section = { auth: { mode: 'proxy', proxy: { trustLoopback: true } }, actions: true }
    await using of = await startTestDashboard({ picture, objects, section })
    const act = (name: string) =>
      of.ask('/api/v1/actions/approve', { method: 'POST', headers: { ...writing(of.port), ...asUser(name) }, body: approve })
    const refused = await act('joe')
    expect([refused.status, refused.code]).toEqual([403, 'action-forbidden'])
    expect(approval(of)).toEqual([false, undefined])
    expect((await act('jane')).status).toBe(200)
    expect(approval(of)).toEqual([true, 'jane'])
    expect((await of.ask('/api/v1/me')).code).toBe('proxy-user-missing')
  })
})

describe('mode loopback with a key', () => {
  test('lets in who has the key, once, and then the cookie', async () => {
    await using of = await startTestDashboard({ picture, options: { key: 'k-1' } })
    expect(of.url).toBe(`http://127.0.0.1:${of.port}/?key=k-1`)
    const get = (path: string, headers: Readonly<Record<string, string>> = {}) => of.ask(path, { headers })
    expect([(await get('/')).status, (await get('/api/v1/me')).code]).toEqual([401, 'key-needed'])
    expect((await get('/?key=wrong')).status).toBe(401)
    expect((await get('/?key=k-1', { 'sec-purpose': 'prefetch' })).status).toBe(401)
    const entered = await get('/permits?key=k-1&rule=CoolDown')
    expect([entered.status, entered.headers.location]).toEqual([303, '/permits?rule=CoolDown'])
    const cookie = String(entered.headers['set-cookie']?.[0])
    expect(cookie).toMatch(new RegExp(`^ballast-${of.port}=[\\w-]{43}; Path=/; HttpOnly; SameSite=Strict$`))
    const pair = cookie.split(';')[0] ?? ''
    expect((await get('/', { cookie: pair })).status).toBe(200)
    expect((await get('/api/v1/me', { cookie: pair })).status).toBe(200)
    expect((await get('/?key=k-1', { cookie: pair })).status).toBe(303)
    const again = await get('/?key=k-1')
    expect([again.status, again.text]).toEqual([401, expect.stringContaining('used already')])
  })
})
