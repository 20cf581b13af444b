// Routes, and requests as bytes with what their backends answer: played against the add-on's interceptor by `test/real/gateway/record.ts`,
// and against ours by the replay. Backends are strict: each Service has one of its own, so that it is known where a request went.
import type { RawExchange } from './gateway-strict-backend.ts'

/** Services that have a ready backend. */
export const backends = ['app', 'other', 'third', 'fallback'] as const
export type Backend = (typeof backends)[number]

/** Where Services lead: ports of this machine. */
export interface Places {
  readonly ports: Readonly<Record<Backend, number>>
  /** Nobody listens there. */
  readonly closedPort: number
  /** An address that EndpointSlices may bear. */
  readonly address: string
}

interface CaseObject {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: { readonly name: string; readonly namespace: string; readonly labels?: Readonly<Record<string, string>> }
  readonly [field: string]: unknown
}

const namespace = 'default'

function service(name: string, port: number, address: string, endpoints: 'ready' | 'none'): readonly CaseObject[] {
  const slice = {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: `${name}-1`, namespace, labels: { 'kubernetes.io/service-name': name } },
    addressType: 'IPv4',
    ports: [{ name: 'web', port, protocol: 'TCP' }],
    endpoints: [{ addresses: [address], conditions: { ready: true } }],
  }
  return [
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name, namespace },
      spec: { ports: [{ name: 'web', port, targetPort: port }] },
    },
    ...(endpoints === 'ready' ? [slice] : []),
  ]
}

function configMap(name: string, data: Readonly<Record<string, string>>, isLabelled = true): CaseObject {
  const labels = isLabelled ? { labels: { 'http.keda.sh/response-body': 'true' } } : {}
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace, ...labels }, data }
}

/** Everything that the cases need, in the order it is made. */
export function gatewayObjects({ ports, closedPort, address }: Places): readonly CaseObject[] {
  const route = (
    name: string,
    target: Backend | 'asleep' | 'closed' | 'absent',
    rule: unknown,
    more: object = {},
  ): CaseObject => ({
    apiVersion: 'http.keda.sh/v1beta1',
    kind: 'InterceptorRoute',
    metadata: { name, namespace },
    spec: {
      target: { service: target, port: target in ports ? ports[target as Backend] : closedPort },
      rules: Array.isArray(rule) ? rule : [rule],
      scalingMetric: { concurrency: { targetValue: 100 } },
      ...more,
    },
  })
  const cold = (name: string, response: object, more: object = {}) =>
    route(name, 'asleep', { hosts: [`${name}.test`] }, { coldStart: { placeholder: { response } }, ...more })
  const scaled = (name: string, spec: object): CaseObject => ({
    apiVersion: 'http.keda.sh/v1alpha1',
    kind: 'HTTPScaledObject',
    metadata: { name, namespace },
    spec,
  })
  const reference = (target: Backend | 'asleep') => ({
    scaleTargetRef: {
      ...{ name: target, kind: 'Deployment', apiVersion: 'apps/v1', service: target },
      port: target === 'asleep' ? closedPort : ports[target],
    },
  })
  return [
    ...backends.flatMap(name => service(name, ports[name], address, 'ready')),
    ...service('asleep', closedPort, address, 'none'),
    ...service('closed', closedPort, address, 'ready'),
    configMap('pages', { 'index.html': '<p>index</p>', 'app.js': 'start()', 'data.json': '{}', plain: 'no type' }),
    configMap('unlabelled', { 'index.html': 'not to be read' }, false),
    route('app', 'app', { hosts: ['app.test'] }),
    route('two-hosts', 'other', { hosts: ['one.test', 'two.test'] }),
    route('two-rules', 'other', [{ hosts: ['first.test'], paths: [{ value: '/a' }] }, { hosts: ['second.test'] }]),
    route('wild', 'third', { hosts: ['*.wild.test'] }),
    route('wild-deeper', 'other', { hosts: ['*.deep.wild.test'] }),
    route('wild-exact', 'app', { hosts: ['exact.wild.test'], paths: [{ value: '/only' }] }),
    route('anything', 'third', { hosts: ['*'], headers: [{ name: 'X-Everything' }] }),
    route('with-port', 'app', { hosts: ['ported.test:8080'] }),
    route('upper-case', 'app', { hosts: ['Upper.TEST'] }),
    route('paths-root', 'app', { hosts: ['paths.test'] }),
    route('paths-api', 'other', { hosts: ['paths.test'], paths: [{ value: '/api' }] }),
    route('paths-longer', 'third', { hosts: ['paths.test'], paths: [{ value: '/api/v2/' }] }),
    route('headers-none', 'app', { hosts: ['headers.test'] }),
    route('headers-any', 'other', { hosts: ['headers.test'], headers: [{ name: 'X-Tier' }] }),
    route('headers-value', 'third', { hosts: ['headers.test'], headers: [{ name: 'X-Tier', value: 'gold' }] }),
    route('headers-only', 'app', { hosts: ['guarded.test'], headers: [{ name: 'X-Key', value: 'Open' }] }),
    {
      ...route('named-port', 'app', { hosts: ['named.test'] }),
      spec: {
        target: { service: 'app', portName: 'web' },
        rules: [{ hosts: ['named.test'] }],
        scalingMetric: { requestRate: { targetValue: 10 } },
      },
    },
    {
      ...route('unknown-port', 'app', { hosts: ['unknown-port.test'] }),
      spec: {
        target: { service: 'app', portName: 'absent' },
        rules: [{ hosts: ['unknown-port.test'] }],
        scalingMetric: { concurrency: { targetValue: 1 } },
      },
    },
    route('asleep', 'asleep', { hosts: ['asleep.test'] }, { timeouts: { readiness: '300ms' } }),
    route('asleep-in-all', 'asleep', { hosts: ['asleep-in-all.test'] }, { timeouts: { request: '300ms' } }),
    route('absent', 'absent', { hosts: ['absent.test'] }, { timeouts: { readiness: '300ms' } }),
    route('closed', 'closed', { hosts: ['closed.test'] }, { timeouts: { request: '800ms' } }),
    route('slow', 'app', { hosts: ['slow.test'] }, { timeouts: { responseHeader: '300ms' } }),
    route('slow-in-all', 'app', { hosts: ['slow-in-all.test'] }, { timeouts: { request: '300ms' } }),
    cold('cold', {}),
    cold('cold-body', { statusCode: 202, body: '<p>wait</p>', headers: { 'content-type': 'text/html', 'retry-after': '5' } }),
    cold('cold-untyped', { body: '<p>wait</p>' }),
    cold('cold-page', { bodyFromConfigMap: { name: 'pages' } }),
    cold('cold-key', { bodyFromConfigMap: { name: 'pages', key: 'app.js' }, statusCode: 200 }),
    cold('cold-typed', { bodyFromConfigMap: { name: 'pages', key: 'app.js' }, headers: { 'Content-Type': 'text/x-own' } }),
    cold('cold-no-key', { bodyFromConfigMap: { name: 'pages', key: 'absent' } }),
    cold('cold-no-map', { bodyFromConfigMap: { name: 'absent' } }),
    cold('cold-unlabelled', { bodyFromConfigMap: { name: 'unlabelled' } }),
    route(
      'instead',
      'asleep',
      { hosts: ['instead.test'] },
      { timeouts: { readiness: '200ms' }, coldStart: { fallback: { service: { name: 'fallback', port: ports.fallback } } } },
    ),
    route(
      'instead-named',
      'asleep',
      { hosts: ['instead-named.test'] },
      { timeouts: { readiness: '200ms' }, coldStart: { fallback: { service: { name: 'fallback', portName: 'web' } } } },
    ),
    route(
      'instead-unneeded',
      'app',
      { hosts: ['instead-unneeded.test'] },
      { coldStart: { fallback: { service: { name: 'fallback', port: ports.fallback } } } },
    ),
    scaled('scaled', { hosts: ['scaled.test'], ...reference('app') }),
    scaled('scaled-paths', { hosts: ['scaled-paths.test'], pathPrefixes: ['/in', '/also'], ...reference('other') }),
    scaled('scaled-headers', {
      hosts: ['scaled-headers.test'],
      headers: [{ name: 'X-Tier', value: 'gold' }],
      ...reference('third'),
    }),
    scaled('scaled-failover', {
      hosts: ['scaled-failover.test'],
      coldStartTimeoutFailoverRef: { service: 'fallback', port: ports.fallback, timeoutSeconds: 1 },
      ...reference('asleep'),
    }),
    scaled('same-name', { hosts: ['same-scaled.test'], ...reference('other') }),
    route('same-name', 'app', { hosts: ['same-route.test'] }),
  ]
}

export interface GatewayCase extends RawExchange {
  readonly name: string
  /** What each backend answers, latin1; default 200 with `ok`. `none`: nothing. */
  readonly answer?: string
}

const request = (target: string, host: string, headers = '', method = 'GET') =>
  `${method} ${target} HTTP/1.1\r\nHost: ${host}\r\n${headers}\r\n`
const get = (name: string, target: string, host: string, headers = ''): GatewayCase => ({
  name,
  sent: request(target, host, headers),
})
const post = (name: string, headers: string, body: string, more: Partial<GatewayCase> = {}): GatewayCase => ({
  name,
  sent: `${request('/', 'app.test', headers, 'POST')}${body}`,
  ...more,
})
const answered = (name: string, answer: string, headers = '', more: Partial<GatewayCase> = {}): GatewayCase => ({
  ...get(name, '/', 'app.test', headers),
  answer,
  ...more,
})
const ok = (headers: string, body = 'ok') => `HTTP/1.1 200 OK\r\n${headers}Content-Length: ${body.length}\r\n\r\n${body}`
const webSocket =
  'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n'
const switching =
  'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n'

/** Which route gets it. */
const routing: readonly GatewayCase[] = [
  get('exact host', '/', 'app.test'),
  get('no route', '/', 'nobody.test'),
  get('first of two hosts', '/', 'one.test'),
  get('second of two hosts', '/', 'two.test'),
  get('first of two rules', '/a/b', 'first.test'),
  get('first of two rules, another path', '/b', 'first.test'),
  get('second of two rules', '/b', 'second.test'),
  get('host with a port', '/', 'app.test:8080'),
  get('rule with a port', '/', 'ported.test'),
  get('rule with a port, host with another', '/', 'ported.test:9999'),
  get('host in other letters', '/', 'APP.Test'),
  get('rule in other letters', '/', 'upper.test'),
  get('rule in the same letters', '/', 'Upper.TEST'),
  get('host with a dot at its end', '/', 'app.test.'),
  get('wildcard', '/', 'a.wild.test'),
  get('wildcard over two labels', '/', 'a.b.wild.test'),
  get('the nearer wildcard', '/', 'a.deep.wild.test'),
  get('a wildcard is not its own domain', '/', 'wild.test'),
  get('exact before wildcard', '/only', 'exact.wild.test'),
  get('exact host, other path: the wildcard', '/other', 'exact.wild.test'),
  get('any host with a header', '/', 'nobody.test', 'X-Everything: 1\r\n'),
  get('an exact host before any host', '/', 'app.test', 'X-Everything: 1\r\n'),
  get('an address as host', '/', '192.0.2.7'),
  get('an IPv6 address as host', '/', '[2001:db8::1]:80'),
  get('prefix', '/api/x', 'paths.test'),
  get('prefix alone', '/api', 'paths.test'),
  get('prefix with a slash', '/api/', 'paths.test'),
  get('prefix on segment borders only', '/apix', 'paths.test'),
  get('the longer prefix', '/api/v2/x', 'paths.test'),
  get('the longer prefix without its slash', '/api/v2', 'paths.test'),
  get('no prefix', '/else', 'paths.test'),
  get('prefix in other letters', '/API/x', 'paths.test'),
  get('encoded letters in a prefix', '/%61pi/x', 'paths.test'),
  get('an encoded slash in a prefix', '/api%2Fv2/x', 'paths.test'),
  get('dot segments', '/else/../api/x', 'paths.test'),
  get('encoded dot segments', '/else/%2e%2e/api/x', 'paths.test'),
  get('two slashes before a prefix', '//api/x', 'paths.test'),
  get('two slashes in a prefix', '/api//v2/x', 'paths.test'),
  get('a query behind a prefix', '/api?x=/api/v2/', 'paths.test'),
  get('a semicolon in a query', '/?a=1;b=2&c', 'app.test'),
  get('an empty query', '/x?', 'app.test'),
  get('encoded letters of a path are kept', '/%41%2f%20%e2%82%ac/x+y', 'app.test'),
  get('no header: the plain route', '/', 'headers.test'),
  get('a header of any value', '/', 'headers.test', 'X-Tier: silver\r\n'),
  get('a header with its value', '/', 'headers.test', 'x-tier: gold\r\n'),
  get('a header with its value in other letters', '/', 'headers.test', 'X-Tier: GOLD\r\n'),
  get('a header twice, one the value', '/', 'headers.test', 'X-Tier: silver\r\nX-Tier: gold\r\n'),
  get('a list that has the value', '/', 'headers.test', 'X-Tier: silver, gold\r\n'),
  get('an empty header', '/', 'headers.test', 'X-Tier:\r\n'),
  get('a header that is wanted and there', '/', 'guarded.test', 'X-Key: Open\r\n'),
  get('a header that is wanted and not there', '/', 'guarded.test'),
  get('absolute form', 'http://app.test/x', 'app.test'),
  get('absolute form against Host', 'http://app.test/x', 'one.test'),
  { name: 'HTTP/1.0', sent: 'GET / HTTP/1.0\r\nHost: app.test\r\n\r\n' },
  { name: 'OPTIONS *', sent: request('*', 'app.test', '', 'OPTIONS') },
  get('a port by its name', '/', 'named.test'),
  get('a port by a name that is not there', '/', 'unknown-port.test'),
  get('an HTTPScaledObject', '/', 'scaled.test'),
  get('its first prefix', '/in/x', 'scaled-paths.test'),
  get('its second prefix', '/also', 'scaled-paths.test'),
  get('none of its prefixes', '/out', 'scaled-paths.test'),
  get('its header', '/', 'scaled-headers.test', 'X-Tier: gold\r\n'),
  get('without its header', '/', 'scaled-headers.test'),
  get('the host of a shadowed HTTPScaledObject', '/', 'same-scaled.test'),
  get('the host of the route that shadows it', '/', 'same-route.test'),
]

/** How parts of a request and its answer go on. */
const passing: readonly GatewayCase[] = [
  get(
    'headers of the hop stay',
    '/',
    'app.test',
    'Connection: keep-alive, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\nTE: trailers, gzip\r\nProxy-Authorization: Basic eA==\r\nProxy-Connection: keep-alive\r\nTrailer: X-Sum\r\nX-Stays: 1\r\n',
  ),
  get('names and order of headers', '/', 'app.test', 'x-lower: 1\r\nX-UPPER: 2\r\nx-Mixed: 3\r\nX-Twice: a\r\nX-Twice: b\r\n'),
  get('spaces around a value', '/', 'app.test', 'X-Spaced:  \t a  b \t\r\n'),
  get('letters outside of ASCII', '/', 'app.test', 'X-Latin: caf\xe9\r\n'),
  get(
    'an earlier proxy',
    '/',
    'app.test',
    'X-Forwarded-For: 203.0.113.9\r\nX-Forwarded-Host: outer.test\r\nX-Forwarded-Proto: https\r\n',
  ),
  get('two earlier proxies', '/', 'app.test', 'X-Forwarded-For: 203.0.113.9\r\nX-Forwarded-For: 203.0.113.10, 203.0.113.11\r\n'),
  get('Forwarded is kept', '/', 'app.test', 'Forwarded: for=203.0.113.9\r\nX-Real-IP: 203.0.113.9\r\n'),
  get('no User-Agent', '/', 'app.test'),
  get('a User-Agent', '/', 'app.test', 'User-Agent: curl/8\r\n'),
  get('no Accept-Encoding', '/', 'app.test'),
  get('an Accept-Encoding', '/', 'app.test', 'Accept-Encoding: br\r\n'),
  get(
    'trace headers',
    '/',
    'app.test',
    'traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\nbaggage: a=b\r\n',
  ),
  get('Host keeps its port and letters', '/', 'app.test:8080'),
  {
    name: 'HEAD',
    sent: request('/', 'app.test', '', 'HEAD'),
    isHead: true,
    answer: 'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n',
  },
  { name: 'a method of its own', sent: request('/', 'app.test', '', 'PURGE') },
  { name: 'DELETE with a body', sent: `${request('/', 'app.test', 'Content-Length: 2\r\n', 'DELETE')}hi` },
  { name: 'GET with a body', sent: `${request('/', 'app.test', 'Content-Length: 2\r\n')}hi` },
  post('a body with its length', 'Content-Length: 5\r\n', 'hello'),
  post('an empty body', 'Content-Length: 0\r\n', ''),
  post('no body', '', ''),
  post('a body in chunks', 'Transfer-Encoding: chunked\r\n', '5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n'),
  post('trailers of a request', 'Transfer-Encoding: chunked\r\nTrailer: X-Sum\r\n', '5\r\nhello\r\n0\r\nX-Sum: 5\r\n\r\n'),
  post('Expect', 'Expect: 100-continue\r\nContent-Length: 5\r\n', 'hello'),
  answered('an answer with its length', ok('Content-Type: text/plain\r\nX-Own: 1\r\n')),
  answered('an answer in chunks', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n1\r\n!\r\n0\r\n\r\n'),
  answered(
    'trailers of an answer',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 2\r\n\r\n',
    'TE: trailers\r\n',
  ),
  answered('trailers that nobody named', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 2\r\n\r\n'),
  answered('an answer that ends with its connection', 'HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nok'),
  answered('an answer of HTTP/1.0', 'HTTP/1.0 200 OK\r\nConnection: close\r\n\r\nok'),
  answered('an answer without a reason', 'HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n'),
  answered('a status of its own', 'HTTP/1.1 299 Fine Indeed\r\nContent-Length: 0\r\n\r\n'),
  answered('204', 'HTTP/1.1 204 No Content\r\n\r\n'),
  answered('304', 'HTTP/1.1 304 Not Modified\r\nETag: "x"\r\n\r\n', 'If-None-Match: "x"\r\n'),
  answered('early hints', `HTTP/1.1 103 Early Hints\r\nLink: </s.css>; rel=preload\r\n\r\n${ok('')}`),
  answered('100 before an answer', `HTTP/1.1 100 Continue\r\n\r\n${ok('')}`),
  answered('processing', `HTTP/1.1 102 Processing\r\n\r\n${ok('')}`),
  answered('cookies stay apart', ok('Set-Cookie: a=1\r\nSet-Cookie: b=2\r\n')),
  answered(
    "the answer's headers of the hop stay",
    ok('Connection: X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\nProxy-Authenticate: Basic\r\nX-Stays: 1\r\n'),
  ),
  answered('Date and Server of the backend', ok('Date: Mon, 01 Jan 2024 00:00:00 GMT\r\nServer: own\r\n')),
  answered('compressed, and asked for', ok('Content-Encoding: gzip\r\n', 'not really'), 'Accept-Encoding: gzip\r\n'),
  answered('an error of the backend', 'HTTP/1.1 500 Internal Server Error\r\nContent-Length: 4\r\n\r\noops'),
  answered('a redirect', 'HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n'),
  answered('the backend speaks of a cold start', ok('X-KEDA-HTTP-Cold-Start: true\r\n')),
  answered('no HTTP', 'garbage\r\n\r\n'),
  answered('two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok!'),
  answered('less than was promised', 'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 10\r\n\r\nok'),
  answered('the connection ends at once', 'Connection: close\r\n\r\n'),
  { name: 'WebSocket', sent: request('/', 'app.test', webSocket), answer: switching, after: '\x81\x02hi', until: '\x81\x02hi' },
  {
    name: 'WebSocket refused',
    sent: request('/', 'app.test', webSocket),
    answer: 'HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n',
  },
  {
    name: 'another upgrade',
    sent: request('/', 'app.test', 'Connection: upgrade\r\nUpgrade: own/1\r\n'),
    answer: switching.replace('websocket', 'own/1'),
    after: 'ping',
    until: 'ping',
  },
  { name: 'two requests in a row', sent: request('/1', 'app.test') + request('/2', 'one.test'), answers: 2 },
  {
    name: 'a request behind a body',
    sent: `${request('/1', 'app.test', 'Content-Length: 2\r\n', 'POST')}hi${request('/2', 'app.test')}`,
    answers: 2,
  },
  { name: 'the client closes after it', sent: request('/', 'app.test', 'Connection: close\r\n') },
]

/** Answers that come from the gateway. */
const own: readonly GatewayCase[] = [
  get('nothing becomes ready', '/', 'asleep.test'),
  get('nothing becomes ready in the time of the whole request', '/', 'asleep-in-all.test'),
  get('the Service is not there', '/', 'absent.test'),
  get('nobody listens', '/', 'closed.test'),
  { ...get('no answer in time', '/', 'slow.test'), answer: 'none' },
  { ...get('no answer in the time of the whole request', '/', 'slow-in-all.test'), answer: 'none' },
  get('placeholder', '/', 'cold.test'),
  get('placeholder with all', '/', 'cold-body.test'),
  { name: 'placeholder for HEAD', sent: request('/', 'cold-body.test', '', 'HEAD'), isHead: true },
  { name: 'placeholder for a POST', sent: `${request('/', 'cold-body.test', 'Content-Length: 2\r\n', 'POST')}hi` },
  get('placeholder without a type', '/', 'cold-untyped.test'),
  get('page of the path', '/', 'cold-page.test'),
  get('another page of the path', '/app.js', 'cold-page.test'),
  get('a page of JSON', '/data.json', 'cold-page.test'),
  get('a page without a type', '/plain', 'cold-page.test'),
  get('a page that is not there', '/else', 'cold-page.test'),
  get('a page with a query', '/data.json?x=1', 'cold-page.test'),
  get('page by its key', '/else', 'cold-key.test'),
  get('page by its key with a type', '/', 'cold-typed.test'),
  get('a key that is not there', '/', 'cold-no-key.test'),
  get('a ConfigMap that is not there', '/', 'cold-no-map.test'),
  get('a ConfigMap without the label', '/', 'cold-unlabelled.test'),
  get('fallback', '/x?y', 'instead.test'),
  get('fallback by the name of its port', '/', 'instead-named.test'),
  get('a fallback that is not needed', '/', 'instead-unneeded.test'),
  get('failover of an HTTPScaledObject', '/', 'scaled-failover.test'),
]

export const gatewayCases: readonly GatewayCase[] = [...routing, ...passing, ...own]

/** Answers of `answer`, for a backend of the harness. */
export function answerOf({ answer }: GatewayCase): (() => string | undefined) | undefined {
  return answer === undefined ? undefined : () => (answer === 'none' ? undefined : answer)
}
