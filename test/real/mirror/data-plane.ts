// Both data planes are asked the same: what this process sends itself, and what nginx carries, has the same status, headers and bytes.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Check } from '../check.ts'
import { needProgramsOfImage } from '../image/programs-of-image.ts'
import { type Agent, ports } from './laboratory/agents.ts'
import type { PushedImage } from './laboratory/images.ts'
import { type LaboratoryNode, registryName, startLaboratory } from './laboratory/laboratory.ts'
import { type RawAnswer, type RawAsk, rawAnswers } from './laboratory/raw-answers.ts'
import { megabyte, patient, pulled, referenceOf, seeded, untilFound } from './pulls.ts'

/** What the specification of registries, or containerd, looks at. */
const compared = [
  'accept-ranges',
  'allow',
  'content-encoding',
  'content-length',
  'content-range',
  'content-type',
  'docker-content-digest',
  'oci-namespace',
  'www-authenticate',
] as const

/** Where the two differ: statuses of both, and why that is left so. Each is named in docs/mirror.md. */
const differences: Readonly<Record<string, { readonly builtin: string; readonly nginx: string; readonly why: string }>> = {
  'percent signs that encode nothing': { builtin: '404', nginx: '400', why: 'nginx reads the path before the agent does' },
  'a path of the plane': { builtin: '404', nginx: '404', why: 'nginx says so itself, in other words' },
  TRACE: { builtin: '405', nginx: '405', why: 'nginx refuses it itself, without Allow' },
  'a head that is too large': { builtin: '431', nginx: '431', why: 'nginx says so with a body' },
  'no HTTP': { builtin: '400', nginx: '400', why: 'nginx says so with a body' },
  'HTTP/1.1 without a host': { builtin: '400', nginx: '400', why: 'nginx says so with a body' },
  'If-None-Match of anything': { builtin: '200', nginx: '304', why: 'nginx obeys it for a file, and cannot be told not to' },
  'If-Match': { builtin: '200', nginx: '412', why: 'nginx obeys it for a file, and cannot be told not to' },
  'If-Unmodified-Since': { builtin: '200', nginx: '412', why: 'nginx obeys it for a file, and cannot be told not to' },
  'a large blob that is here, range: an end beyond all numbers': {
    ...{ builtin: '206', nginx: '404', why: 'nginx takes such a number for none' },
  },
}
/** How many are answered depends on how fast the machine is: each is answered, rightly or with 404. */
const crowd = 'a thousand at once'

interface Images {
  /** All nodes have it: an index, two layers. */
  readonly here: PushedImage
  /** One other node has it: layers of 20 kB, 300 kB and 20 MB. */
  readonly there: PushedImage
}

type Row = readonly [name: string, ask: RawAsk]

interface Asked {
  readonly method?: string
  readonly version?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

function request(target: string, { method = 'GET', version = '1.1', headers = {}, body = '' }: Asked = {}): string {
  const all = version === '1.0' ? headers : { Host: 'mirror', ...headers }
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`)
  return `${method} ${target} HTTP/${version}\r\n${lines.join('')}\r\n${body}`
}

const one = (name: string, target: string, how: Asked = {}): Row => [name, { text: request(target, how) }]
const row = (name: string, text: string, how: Omit<RawAsk, 'text'> = {}): Row => [name, { text, ...how }]
const none = `sha256:${'0'.repeat(64)}`

/** Forms of `Range`; the second of those in use is of a part that containerd asks for when it resumes. */
const ranges: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'first bytes': { Range: 'bytes=0-99' },
  'one byte': { Range: 'bytes=7-7' },
  'from a byte on': { Range: 'bytes=1000-' },
  'from the first byte on': { Range: 'bytes=0-' },
  'last bytes': { Range: 'bytes=-77' },
  'more last bytes than there are': { Range: 'bytes=-999999999' },
  'no last bytes': { Range: 'bytes=-0' },
  'an end beyond the end': { Range: 'bytes=1000-999999999' },
  'an end beyond all numbers': { Range: 'bytes=1000-99999999999999999999999' },
  'beyond the end': { Range: 'bytes=999999999-' },
  'both beyond the end': { Range: 'bytes=999999999-9999999999' },
  'the wrong way round': { Range: 'bytes=9-3' },
  'in capitals': { Range: 'BYTES=0-9' },
  'with spaces': { Range: 'bytes= 0-9 ' },
  'of another unit': { Range: 'lines=0-9' },
  'no numbers': { Range: 'bytes=a-b' },
  nothing: { Range: 'bytes=' },
  several: { Range: 'bytes=0-1,5-9' },
  'with If-Range': { Range: 'bytes=0-9', 'If-Range': '"a"' },
  'with If-Range of a date': { Range: 'bytes=0-9', 'If-Range': 'Thu, 01 Jan 2026 00:00:00 GMT' },
}

/** What everybody is asked. */
function rows({ here, there }: Images): readonly Row[] {
  const ns = `?ns=${registryName}`
  const [small, large] = here.layers
  const [tiny, middle, huge] = there.layers
  if (small === undefined || large === undefined || tiny === undefined || middle === undefined || huge === undefined)
    throw new Error('five layers')
  const blob = (image: PushedImage, digest: string, query = ns) => `/v2/${image.repository}/blobs/${digest}${query}`
  const manifest = (image: PushedImage, reference: string, query = ns) => `/v2/${image.repository}/manifests/${reference}${query}`
  const blobs = {
    'a small blob that is here': blob(here, small.digest),
    'a large blob that is here': blob(here, large.digest),
    'a configuration that is here': blob(here, here.config),
    'a small blob of a peer': blob(there, tiny.digest),
    'a blob of a peer': blob(there, middle.digest),
    'a large blob of a peer': blob(there, huge.digest),
  }
  const manifests = {
    'an index by its tag': manifest(here, here.tag),
    'an index by its digest': manifest(here, here.digest),
    'a manifest by its digest': manifest(here, here.manifest),
    'a manifest of a peer by its tag': manifest(there, there.tag),
    'a manifest of a peer by its digest': manifest(there, there.digest),
  }
  const both = (name: string, target: string): readonly Row[] => [
    one(`HEAD of ${name}`, target, { method: 'HEAD' }),
    one(`GET of ${name}`, target),
  ]
  const get = (target: string, how: Asked = {}) => request(target, how)
  const ofManyKinds = [
    get('/v2/'),
    get(blob(here, large.digest)),
    get(blob(there, middle.digest)),
    get(manifest(here, here.tag), { method: 'HEAD' }),
    get(blob(here, none)),
    get(blob(here, small.digest), { headers: { Range: 'bytes=1-2' } }),
    get('/readyz'),
  ]
  return [
    ...both('livez', '/livez'),
    ...both('readyz', '/readyz'),
    ...both('the base', '/v2/'),
    ...both('the base without a slash', '/v2'),
    ...both('the root', '/'),
    ...Object.entries({ ...blobs, ...manifests }).flatMap(([name, target]) => both(name, target)),
    ...Object.entries(ranges).flatMap(([form, headers]) =>
      [
        ['a large blob that is here', blob(here, large.digest)] as const,
        ['a small blob of a peer', blob(there, tiny.digest)] as const,
        ['a blob of a peer', blob(there, middle.digest)] as const,
      ].map(([name, target]) => one(`${name}, range: ${form}`, target, { headers })),
    ),
    one('a manifest with a range', manifest(here, here.digest), { headers: { Range: 'bytes=0-9' } }),
    one('HEAD of a blob with a range', blob(here, large.digest), { method: 'HEAD', headers: { Range: 'bytes=0-9' } }),
    one('a blob that is here without ns', blob(here, small.digest, '')),
    one('a blob of another registry', blob(here, small.digest, '?ns=other.test')),
    one('a manifest as a blob', blob(here, here.digest)),
    one('a blob as a manifest', manifest(here, small.digest)),
    one('a digest that nobody has', blob(here, none)),
    one('a manifest that nobody has', manifest(here, none)),
    one('a tag that nobody has', manifest(here, 'v9')),
    one('a tag without ns', manifest(here, here.tag, '')),
    one('no digest', blob(here, 'sha256:abc')),
    one('no tag', manifest(here, '-v1')),
    one('no name', `/v2/Acme/blobs/${none}${ns}`),
    one('a name with dots', `/v2/acme/../app/blobs/${none}${ns}`),
    one('neither a manifest nor a blob', `/v2/acme/app/tags/list${ns}`),
    one('slashes doubled', `/v2//acme/app/blobs/${small.digest}${ns}`),
    one('no registry as ns', blob(here, small.digest, '?ns=a/b')),
    one('percent signs that encode', blob(here, small.digest.replace(':', '%3A'))),
    one('percent signs that encode nothing', '/v2/%zz/blobs/x'),
    one('a path of the plane', `/-/file/1/var/lib/blobs/sha256/${none.slice(7)}`),
    one('another path of the plane', '/-/http/1/127.0.0.1:1/v2/'),
    ...['PUT', 'POST', 'DELETE', 'PATCH', 'OPTIONS'].map(method =>
      one(`${method} of a manifest`, manifest(here, here.tag), { method }),
    ),
    one('TRACE', '/v2/', { method: 'TRACE' }),
    one('a method that is none', '/v2/', { method: 'FOO' }),
    one('PUT with a body', manifest(here, here.tag), { method: 'PUT', headers: { 'Content-Length': '2' }, body: '{}' }),
    one('GET with a body', blob(here, small.digest), { headers: { 'Content-Length': '3', Connection: 'close' }, body: 'abc' }),
    one('a target that is too long', `/v2/${'a/'.repeat(4_200)}b`, { headers: { Connection: 'close' } }),
    one('a head that is too large', '/v2/', { headers: { Connection: 'close', X: 'x'.repeat(20_000) } }),
    row('no HTTP', 'hello\r\n\r\n'),
    row('HTTP/1.1 without a host', 'GET /v2/ HTTP/1.1\r\nConnection: close\r\n\r\n'),
    one('HTTP/1.0', blob(here, small.digest), { version: '1.0' }),
    one('HTTP/1.0 of a peer', blob(there, middle.digest), { version: '1.0' }),
    one('Expect', blob(here, small.digest), { headers: { Expect: '100-continue' } }),
    one('encodings that are accepted', blob(here, large.digest), { headers: { 'Accept-Encoding': 'zstd;q=1.0, gzip;q=0.8' } }),
    one('encodings of a manifest', manifest(here, here.digest), { headers: { 'Accept-Encoding': 'gzip' } }),
    one('If-None-Match', blob(here, small.digest), { headers: { 'If-None-Match': '"a"' } }),
    one('If-None-Match of anything', blob(here, small.digest), { headers: { 'If-None-Match': '*' } }),
    one('If-Match', blob(here, small.digest), { headers: { 'If-Match': '"a"' } }),
    one('If-Modified-Since', blob(here, small.digest), { headers: { 'If-Modified-Since': 'Thu, 01 Jan 2099 00:00:00 GMT' } }),
    one('If-Unmodified-Since', blob(here, small.digest), { headers: { 'If-Unmodified-Since': 'Thu, 01 Jan 1998 00:00:00 GMT' } }),
    one('as another mirror asks, of what is here', blob(here, large.digest), { headers: { 'X-Spegel-Mirrored': 'true' } }),
    one('as another mirror asks, of what a peer has', blob(there, huge.digest), { headers: { 'X-Spegel-Mirrored': 'true' } }),
    one('headers of the plane that a client sends', blob(there, middle.digest), {
      headers: { 'X-Ballast-Again': '1', 'X-Ballast-Remote': '127.0.0.1', 'X-Ballast-Worker': '1', 'X-Accel-Redirect': '/-/x' },
    }),
    row('ten on one connection', get(blob(here, small.digest)).repeat(10), { isInTurn: true }),
    row('four at once on one connection', get(blob(here, small.digest)).repeat(4)),
    row('of many kinds on one connection', ofManyKinds.join(''), { isInTurn: true }),
    row(crowd, get(blob(here, small.digest), { headers: { Connection: 'close' } }), { times: 1_000 }),
  ]
}

/** Asked of agents that want a user and a password. */
function signedRows({ here: { repository, layers, manifest } }: Images): readonly Row[] {
  const blob = `/v2/${repository}/blobs/${layers[0]?.digest}?ns=${registryName}`
  const as = (text: string) => ({ headers: { Authorization: `Basic ${Buffer.from(text).toString('base64')}` } })
  return [
    one('without a password', '/v2/'),
    one('HEAD without a password', '/v2/', { method: 'HEAD' }),
    one('a blob without a password', blob),
    one('a manifest without a password', `/v2/${repository}/manifests/${manifest}?ns=${registryName}`),
    one('with a wrong password', blob, as('hello:moon')),
    one('with another scheme', blob, { headers: { Authorization: 'Bearer aGVsbG86d29ybGQ=' } }),
    one('with the right password', blob, as('hello:world')),
    one('a part with the right password', blob, { headers: { ...as('hello:world').headers, Range: 'bytes=1-9' } }),
    one('readyz without a password', '/readyz'),
  ]
}

/** Asked of agents of which this node may ask nothing. */
function strangersRows({ here: { repository, layers, tag } }: Images): readonly Row[] {
  return [
    one('the base as a stranger', '/v2/'),
    one('a blob as a stranger', `/v2/${repository}/blobs/${layers[0]?.digest}?ns=${registryName}`),
    one('a tag as a stranger', `/v2/${repository}/manifests/${tag}?ns=${registryName}`),
    one('livez as a stranger', '/livez'),
    one('readyz as a stranger', '/readyz'),
    one('a stranger that says it is another', '/v2/', {
      headers: { 'X-Ballast-Remote': '127.0.0.1', 'X-Forwarded-For': '127.0.0.1' },
    }),
  ]
}

/** What is compared of answers; the same ones are counted. */
function seenOf(answers: readonly RawAnswer[]): string {
  const counts = new Map<string, number>()
  for (const { status, headers, body } of answers) {
    // Without a body there is no type of one, and what is said of content that is nowhere counts the nodes that were asked.
    const left = status === 404 ? ['content-length'] : body === 'none' && status !== 200 ? ['content-type'] : []
    const told = compared.flatMap(name =>
      headers[name] === undefined || left.includes(name) ? [] : [`${name}: ${headers[name]}`],
    )
    const text = [status, ...told, ...(status === 404 ? [] : [body])].join(' | ')
    counts.set(text, (counts.get(text) ?? 0) + 1)
  }
  return [...counts].map(([text, count]) => `${count} x ${text}`).join('\n') || 'nothing'
}

const statusesOf = (answers: readonly RawAnswer[]): string => answers.map(({ status }) => status).join(' ') || 'nothing'

function wrongOfCrowd(answers: readonly RawAnswer[]): string | undefined {
  const right = answers.filter(({ status, body }) => status === 200 && body.endsWith(' of 4608')).length
  const left = answers.filter(({ status }) => status === 404).length
  return right > 0 && right + left === 1_000 ? undefined : `${crowd}: ${right} right, ${left} times 404, of ${answers.length}`
}

/** What differs, and is not listed as such. */
function unlike([name]: Row, builtin: readonly RawAnswer[], nginx: readonly RawAnswer[]): string | undefined {
  if (name === crowd) return wrongOfCrowd(builtin) ?? wrongOfCrowd(nginx)
  const listed = differences[name]
  if (listed !== undefined) {
    const [first, second] = [statusesOf(builtin), statusesOf(nginx)]
    return first === listed.builtin && second === listed.nginx
      ? undefined
      : `${name}: listed as other than ${first} and ${second}`
  }
  const [first, second] = [seenOf(builtin), seenOf(nginx)]
  return first === second ? undefined : `${name}:\n  builtin: ${first}\n  nginx:   ${second}`
}

async function sameTable(): Promise<string> {
  await needProgramsOfImage()
  await using laboratory = await startLaboratory({ nodes: 3, line: '2' })
  const [n1, n2, n3] = laboratory.nodes
  if (n1 === undefined || n2 === undefined || n3 === undefined) throw new Error('three nodes')
  const start = (
    how: { readonly settings?: Readonly<Record<string, unknown>>; readonly env?: Readonly<Record<string, string>> } = {},
  ) =>
    Promise.all(
      (
        [
          [n2, 'builtin'],
          [n3, 'nginx'],
        ] as const
      ).map(([node, plane]) =>
        laboratory.startAgent(node, { kind: 'ballast', flags: [...patient, '--data-plane', plane], ...how }),
      ),
    )
  const first = await laboratory.startAgent(n1, { kind: 'ballast', flags: [...patient, '--data-plane', 'builtin'], readyMs: 0 })
  const agents = await start()
  await first.ready()
  const here = await laboratory.outside.push({
    ...{ repository: 'acme/here', tag: 'v1', layers: [3_000, 2 * megabyte], platforms: ['linux/amd64', 'linux/arm64'] },
  })
  const there = await laboratory.outside.push({
    ...{ repository: 'acme/there', tag: 'v1', layers: [20_000, 300_000, 20 * megabyte] },
  })
  for (const node of [n1, n2, n3]) await pulled(node, referenceOf(here))
  await seeded(laboratory, n1, there, agents)
  for (const agent of agents) await untilFound(agent, here)
  const images = { here, there }
  const lines: string[] = []
  const ask = (node: LaboratoryNode, asked: readonly Row[]) => {
    const asks = asked.map(([, how]) => how)
    return rawAnswers(n1, { host: node.address, port: ports.registry }, asks)
  }
  /** A peer that is late on a busy machine is answered 404, by either: what differs is asked again. */
  const compare = async (asked: readonly Row[], tries = 3): Promise<void> => {
    const [builtin, nginx] = [await ask(n2, asked), await ask(n3, asked)]
    const found = asked.flatMap((asking, index) => {
      const what = unlike(asking, builtin[index] ?? [], nginx[index] ?? [])
      return what === undefined ? [] : [{ asking, what }]
    })
    if (tries === 1) lines.push(...found.map(({ what }) => what))
    else if (found.length > 0)
      await compare(
        found.map(({ asking }) => asking),
        tries - 1,
      )
  }
  const [all, withPassword, ofStrangers] = [rows(images), signedRows(images), strangersRows(images)]
  const count = all.length + withPassword.length + ofStrangers.length
  await compare(all)
  const stop = async (running: readonly Agent[]) => {
    for (const agent of running) await agent.stop()
  }
  await stop(agents)
  const secret = join(n1.directory, 'secret')
  mkdirSync(secret, { recursive: true })
  for (const [name, text] of [
    ['username', 'hello'],
    ['password', 'world'],
  ] as const)
    writeFileSync(join(secret, name), text)
  const signed = await start({ env: { BALLAST_BASIC_AUTH_DIR: secret } })
  await compare(withPassword)
  await stop(signed)
  const closed = await start({ settings: { allowFrom: ['192.0.2.0/24', '127.0.0.0/8'] } })
  await compare(ofStrangers)
  await stop(closed)
  if (lines.length > 0) throw new Error(`${lines.length} of ${count} differ\n${lines.join('\n')}`)
  return `${count} requests answered alike by both data planes, ${Object.keys(differences).length} of them other as they are listed`
}

export const dataPlaneChecks: readonly Check[] = [
  { name: 'mirror: both data planes answer the same table of requests', alone: true, run: sameTable },
]
