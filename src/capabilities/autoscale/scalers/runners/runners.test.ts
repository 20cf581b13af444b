// Queues that count jobs: ActiveMQ by Jolokia, runners of GitHub and Forgejo.
import { createPublicKey, createVerify, generateKeyPairSync } from 'node:crypto'
import type { RequestListener } from 'node:http'
import { describe, expect, test } from 'vitest'
import { VirtualClock } from '#kube/clock.ts'
import { describeSources, opened, readOf, signal, type Texts } from '../testdata/hostile-sources.ts'
import { scalerWorld } from '../testdata/scaler-world.ts'
import { sourceServer } from '../testdata/source-server.ts'

const login = { username: 'admin', password: 'secret' }
const amq = (url: string, more: Texts = {}): Texts => ({
  ...{ managementEndpoint: url.replace('http://', ''), destinationName: 'testQueue', brokerName: 'localhost' },
  ...more,
})
const forgejo = (url: string, more: Texts = {}): Texts => ({ address: `${url}/`, labels: 'docker,ubuntu', ...more })
const github = (url: string, more: Texts = {}): Texts => ({
  ...{ githubApiURL: url, owner: 'acme', runnerScope: 'org', repos: 'shop', labels: 'foo,bar' },
  ...more,
})
const token = { personalAccessToken: 'secret' }

const run = (id: number, status = 'queued') => ({ id, status, repository: { name: 'shop' } })
const job = (status = 'queued', labels: readonly string[] = ['foo']) => ({ status, labels })
const json =
  (value: unknown, headers: Texts = {}, status = 200): RequestListener =>
  (_request, response) =>
    void response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(value))

/** Pages by their paths; what is not there is 404. */
const pages =
  (said: Readonly<Record<string, RequestListener>>): RequestListener =>
  (request, response) =>
    (said[request.url ?? ''] ?? json({}, {}, 404))(request, response)

const runsPath = (status: string, repo = 'shop') => `/repos/acme/${repo}/actions/runs?status=${status}&per_page=100`
const jobsPath = (id: number) => `/repos/acme/shop/actions/runs/${id}/jobs?per_page=100`
const seven = pages({
  [runsPath('queued')]: json({ workflow_runs: [run(1), run(2, 'completed')] }),
  [runsPath('in_progress')]: json({ workflow_runs: [run(3, 'in_progress')] }),
  [jobsPath(1)]: json({ jobs: [job(), job('in_progress', ['BAR', 'linux', 'x64']), job('completed'), job('queued', ['other'])] }),
  [jobsPath(3)]: json({ jobs: Array.from({ length: 5 }, () => job()) }),
})

describeSources([
  {
    ...{ type: 'activemq', metadata: amq, auth: login, hasOwnAuth: true },
    answer: json({ status: 200, value: 7 }),
    word: json({ status: 200, value: 'many' }),
  },
  {
    ...{ type: 'forgejo-runner', metadata: forgejo, auth: { token: 'secret' }, hasOwnAuth: true },
    answer: json([1, 2, 3, 4, 5, 6, 7]),
    word: json({ many: 1 }),
  },
  {
    ...{ type: 'github-runner', metadata: github, auth: token, hasOwnAuth: true },
    answer: seven,
    word: json({ workflow_runs: 'many' }),
  },
])

describe('activemq', () => {
  const path =
    '/api/jolokia/read/org.apache.activemq:type=Broker,brokerName=localhost,destinationType=Queue,destinationName=testQueue/QueueSize'

  test.each<[string, (url: string) => Texts]>([
    ['names', url => amq(url)],
    ['restAPITemplate', url => ({ restAPITemplate: `${url}${path}` })],
  ])('by %s it asks, and is named', async (_name, metadata) => {
    await using source = await sourceServer(json({ status: 200, value: 10 }))
    await using world = scalerWorld()
    const more = { index: 3, env: { USER: 'admin' }, auth: { password: 'secret' } }
    const given = { ...metadata(source.url), usernameFromEnv: 'USER', activationTargetQueueSize: '10' }
    await using scaler = await opened('activemq', given, more, world)
    expect(await scaler.metrics(signal)).toMatchObject([
      { external: { metric: { name: 's3-activemq-testQueue' }, target: { averageValue: '10' } } },
    ])
    expect(await scaler.read('m', signal)).toEqual({ values: [{ name: 'm', value: 10 }], isActive: false })
    expect(source.asked[0]).toMatchObject({
      path,
      headers: { authorization: `Basic ${btoa('admin:secret')}`, origin: source.url },
    })
  })

  test('a queue that is not there, told with status 200', async () => {
    await using source = await sourceServer(json({ status: 404, error: 'javax.management.InstanceNotFoundException' }))
    expect(await readOf('activemq', amq(source.url), { auth: login })).toBe(
      'ActiveMQ answered without the queue: its status is 404',
    )
  })

  test.each<[Texts, Texts, RegExp]>([
    [{ targetQueueSize: 'AA' }, login, /targetQueueSize/],
    [{ activationTargetQueueSize: 'AA' }, login, /activationTargetQueueSize/],
    [{ managementEndpoint: '' }, login, /no management endpoint given/],
    [{ destinationName: '' }, login, /no destination name given/],
    [{ brokerName: '' }, login, /no broker name given/],
    [{}, { username: 'admin' }, /missing required parameter "password"/],
    [{}, { password: 'secret' }, /missing required parameter "username"/],
    [{ restAPITemplate: 'testInvalid' }, login, /an address cannot be read/],
    [{ restAPITemplate: 'http://a/api' }, login, /no brokerName in restAPITemplate/],
    [{ restAPITemplate: 'http://a/b:type=Broker,brokerName=a,destinationName=/QueueSize' }, login, /no destinationName/],
  ])('%o with %o is refused', async (more, auth, message) => {
    expect(await readOf('activemq', amq('http://a', more), { auth })).toMatch(message)
  })
})

describe('forgejo-runner', () => {
  const auth = { token: 'secret' }

  test.each<[Texts, string]>([
    [{ global: 'true' }, '/api/v1/admin/runners/jobs'],
    [{}, '/api/v1/user/actions/runners/jobs'],
    [{ org: 'acme', global: 'true', owner: 'me' }, '/api/v1/orgs/acme/actions/runners/jobs'],
    [{ owner: 'me', repo: 'a b', org: 'acme' }, '/api/v1/repos/me/a%20b/actions/runners/jobs'],
  ])('%o asks %s', async (more, path) => {
    await using source = await sourceServer(json([{ id: 1 }]))
    expect(await readOf('forgejo-runner', forgejo(source.url, more), { auth })).toEqual([1, true])
    const url = new URL(source.asked[0]?.path ?? '', source.url)
    expect([url.pathname, url.searchParams.get('labels')]).toEqual([path, 'docker,ubuntu'])
    expect(source.asked[0]?.headers.authorization).toBe('token secret')
  })

  test.each<[unknown, unknown]>([
    [[], [0, false]],
    [null, [0, false]],
    [{ jobs: [] }, 'Forgejo answered without a list of jobs'],
  ])('%o', async (answer, expected) => {
    await using source = await sourceServer(json(answer))
    expect(await readOf('forgejo-runner', forgejo(source.url), { auth })).toEqual(expected)
  })

  test.each<[Texts, Texts, RegExp]>([
    [{ address: ' ' }, auth, /missing required parameter "address"/],
    [{ labels: '' }, auth, /missing required parameter "labels"/],
    [{ global: 'yes' }, auth, /global/],
    [{}, {}, /missing required parameter "token"/],
  ])('%o with %o is refused', async (more, given, message) => {
    const metadata = forgejo('http://a', more)
    expect(
      await readOf('forgejo-runner', more['address'] === ' ' ? { ...metadata, address: '' } : metadata, { auth: given }),
    ).toMatch(message)
  })
})

describe('github-runner', () => {
  test.each<[Texts, number]>([
    [{}, 7],
    [{ noDefaultLabels: 'true' }, 6],
    [{ labels: 'other' }, 1],
    [{ labels: '' }, 0],
  ])('%o', async (more, value) => {
    await using source = await sourceServer(seven)
    expect(await readOf('github-runner', github(source.url, more), { auth: token })).toEqual([value, value > 0])
    expect(source.asked[0]?.headers).toMatchObject({ authorization: 'Bearer secret', 'x-github-api-version': '2022-11-28' })
  })

  test.each<[Texts, number]>([
    [{ labels: '' }, 1],
    [{ labels: '', matchUnlabeledJobsWithUnlabeledRunners: 'true' }, 1],
    [{ matchUnlabeledJobsWithUnlabeledRunners: 'true' }, 0],
    [{ matchUnlabeledJobsWithUnlabeledRunners: 'false' }, 1],
  ])('a job without labels, with %o', async (more, value) => {
    const said = pages({
      [runsPath('queued')]: json({ workflow_runs: [run(1)] }),
      [jobsPath(1)]: json({ jobs: [job('queued', [])] }),
    })
    await using source = await sourceServer(said)
    expect(await readOf('github-runner', github(source.url, more), { auth: token })).toEqual([value, value > 0])
  })

  test.each([
    ['org', '/orgs/acme/repos'],
    ['ent', '/orgs/acme/repos'],
    ['repo', '/users/acme/repos'],
  ])('repositories of a %s, page by page, and active from the target on', async (runnerScope, place) => {
    const page = (from: number, length: number) => json(Array.from({ length }, (_none, index) => ({ name: `r${from + index}` })))
    await using source = await sourceServer(
      pages({
        [`${place}?page=1`]: page(0, 30),
        [`${place}?page=2`]: page(30, 1),
        [runsPath('queued', 'r30')]: json({ workflow_runs: [run(1)] }),
        [jobsPath(1)]: json({ jobs: [job(), job()] }),
      }),
    )
    const more = { repos: '', runnerScope, targetWorkflowQueueLength: '2' }
    expect(await readOf('github-runner', github(source.url, more), { auth: token })).toEqual([2, true])
    expect(source.asked).toHaveLength(2 + 31 * 2 + 1)
  })

  test('with enableEtags what did not change is not sent again', async () => {
    const tagged =
      (value: unknown): RequestListener =>
      (request, response) =>
        request.headers['if-none-match'] === '"1"'
          ? void response.writeHead(304).end()
          : json(value, { etag: '"1"' })(request, response)
    await using source = await sourceServer(
      pages({
        [runsPath('queued')]: tagged({ workflow_runs: [run(1)] }),
        [runsPath('in_progress')]: tagged({ workflow_runs: [] }),
        [jobsPath(1)]: tagged({ jobs: [job()] }),
      }),
    )
    await using world = scalerWorld()
    await using scaler = await opened('github-runner', github(source.url, { enableEtags: 'true' }), { auth: token }, world)
    for (let time = 0; time < 2; time++) expect(await scaler.read('m', signal)).toMatchObject({ values: [{ value: 1 }] })
    expect(source.asked.map(({ headers }) => headers['if-none-match'] !== undefined)).toEqual([
      false,
      false,
      false,
      true,
      true,
      true,
    ])
  })

  test('at the limit of rate what was known last counts, until it is over', async () => {
    const clock = new VirtualClock(1_700_000_000_000)
    const limit = { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': '1700000060' }
    let isLimited = false
    await using source = await sourceServer((request, response) =>
      isLimited ? json({}, limit, 403)(request, response) : seven(request, response),
    )
    await using world = scalerWorld({ clock })
    await using scaler = await opened('github-runner', github(source.url), { auth: token }, world)
    const value = async () => (await scaler.read('m', signal)).values[0]?.value
    expect(await value()).toBe(7)
    isLimited = true
    expect(await value()).toBe(7)
    const asked = source.asked.length
    expect([await value(), source.asked.length]).toEqual([7, asked])
    isLimited = false
    await clock.advance(61_000)
    expect([await value(), source.asked.length > asked]).toEqual([7, true])
  })

  test('a look whose every answer comes late ends', async () => {
    await using source = await sourceServer(seven)
    // Each answer takes a minute of this clock.
    const clock = new (class extends VirtualClock {
      override elapsed = () => source.asked.length * 60_000
    })(0)
    const read = await readOf('github-runner', github(source.url, { repos: 'a,b,c,d,e,f,g' }), { auth: token }, { clock })
    expect(read).toMatch(/one look took more than 300 s/)
    expect(source.asked).toHaveLength(6)
  })

  test('at the limit of rate from the first look on', async () => {
    const clock = new VirtualClock(1_700_000_000_000)
    await using source = await sourceServer(json({}, { 'x-ratelimit-remaining': '9', 'retry-after': '60' }, 429))
    expect(await readOf('github-runner', github(source.url), { auth: token }, { clock })).toMatch(
      /No cached queue length available/,
    )
  })

  test('a GitHub App signs for a token, and keeps it until it ends', async () => {
    const clock = new VirtualClock(1_700_000_000_000)
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
    const pem = privateKey.export({ type: 'pkcs1', format: 'pem' }).toString()
    await using source = await sourceServer((request, response) =>
      request.method === 'POST'
        ? json({ token: 't0ken', expires_at: '2023-11-14T23:13:20Z' }, {}, 201)(request, response)
        : seven(request, response),
    )
    await using world = scalerWorld({ clock })
    const more = { applicationID: '12', installationID: '34' }
    await using scaler = await opened('github-runner', github(`${source.url}/api/v3`, more), { auth: { appKey: pem } }, world)
    await scaler.read('m', signal).catch(() => undefined) // no page is below /api/v3
    await scaler.read('m', signal).catch(() => undefined)
    const logins = source.asked.filter(({ path }) => path === '/api/v3/app/installations/34/access_tokens')
    expect(logins).toHaveLength(1)
    const [head = '', claims = '', signature = ''] = (logins[0]?.headers.authorization ?? '').replace('Bearer ', '').split('.')
    expect(createVerify('RSA-SHA256').update(`${head}.${claims}`).verify(createPublicKey(pem), signature, 'base64url')).toBe(true)
    expect(JSON.parse(Buffer.from(claims, 'base64url').toString())).toEqual({ iat: 1_699_999_970, exp: 1_700_000_090, iss: '12' })
    expect(source.asked.at(-1)?.headers.authorization).toBe('Bearer t0ken')
  })

  test.each<[Texts, Texts, RegExp]>([
    [{ owner: '' }, token, /missing required parameter "owner"/],
    [{ runnerScope: '' }, token, /missing required parameter "runnerScope"/],
    [{ runnerScope: 'user' }, token, /must be one of/],
    [{ targetWorkflowQueueLength: 'a' }, token, /targetWorkflowQueueLength/],
    [{ noDefaultLabels: 'a' }, token, /noDefaultLabels/],
    [{ applicationID: 'a' }, token, /applicationID/],
    [{}, {}, /no personalAccessToken\/bearerToken or appKey given/],
    [{ authModes: 'bearer' }, {}, /bearerToken is required/],
    [{ authModes: 'basic' }, token, /not known to this scaler/],
    [{ applicationID: '1' }, { appKey: 'secret' }, /no installationID given/],
    [{ installationID: '1' }, { appKey: 'secret' }, /no applicationID given/],
    [{ applicationID: '1', installationID: '1' }, token, /no appKey given/],
    [{ applicationID: '1', installationID: '1' }, { appKey: 'secret' }, /^appKey cannot be read/],
  ])('%o with %o is refused', async (more, auth, message) => {
    const read = await readOf('github-runner', github('http://a', more), { auth })
    expect(read).toMatch(message)
    expect(read).not.toContain('secret')
  })
})
