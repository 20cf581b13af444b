// What nginx is told, by what it says about each wish; whether nginx takes it as it is meant is tried with nginx itself.
import { describe, expect, test } from 'vitest'
import { filePath, nginxConfiguration, type PlaneOptions, peerPath, planeHeaders } from './nginx-configuration.ts'

const plain: PlaneOptions = {
  directory: '/tmp/plane',
  registry: [{ host: '127.0.0.1', port: 29_999 }],
  peers: undefined,
  connectMs: 3_000,
  stallMs: 10_000,
  connections: 4_096,
  isRoot: false,
  hasIpv6: true,
}
const withPeers = { ...plain, peers: { host: '10.0.0.1', port: 29_996 } }

/** The block that begins with `start`, to its closing brace. */
function block(text: string, start: string): string {
  const at = text.indexOf(start)
  if (at < 0) throw new Error(`there is no ${start}`)
  let depth = 0
  for (let index = text.indexOf('{\n', at); index < text.length; index++) {
    if (text[index] === '{') depth++
    if (text[index] === '}' && --depth === 0) return text.slice(at, index + 1)
  }
  throw new Error(`${start} does not end`)
}

const lines = (text: string, word: string): readonly string[] =>
  text
    .split('\n')
    .map(line => line.trim())
    .filter(line => line.startsWith(`${word} `))

const peersOf = (way: 'http' | 'mtls') => `location ~ "^/-/${way}/`

describe('addresses', () => {
  // biome-ignore format: a table
  test.each([
    ['one', [{ host: '127.0.0.1', port: 80 }], true, ['127.0.0.1:80']],
    ['none: both families', [{ host: undefined, port: 80 }], true, ['[::]:80 ipv6only=off']],
    ['none, on a machine without IPv6', [{ host: undefined, port: 80 }], false, ['80']],
    ['of IPv6', [{ host: 'fd00::1', port: 80 }], true, ['[fd00::1]:80 ipv6only=on']],
    ['of IPv6 in brackets', [{ host: '[::1]', port: 80 }], true, ['[::1]:80 ipv6only=on']],
    ['several', [{ host: '10.0.0.1', port: 80 }, { host: undefined, port: 81 }], true, ['10.0.0.1:80', '[::]:81 ipv6only=off']],
  ])('%s', (_what, registry, hasIpv6, expected) => {
    const text = nginxConfiguration({ ...plain, registry, hasIpv6 })
    expect(lines(text, 'listen')).toEqual(['listen "unix:/tmp/plane/alive.sock";', ...expected.map(one => `listen ${one} backlog=4096;`)])
  })

  test('of the peers, with mutual TLS', () => {
    const text = nginxConfiguration({ ...withPeers, peers: { host: '::1', port: 29_996 } })
    expect(lines(text, 'listen').at(-1)).toBe('listen [::1]:29996 ipv6only=on ssl backlog=4096;')
    expect(lines(text, 'ssl_verify_client')).toEqual(['ssl_verify_client on;'])
  })
})

test('without peers there is no TLS, neither to come in nor to go out', () => {
  const text = nginxConfiguration(plain)
  expect(text).not.toContain('ssl')
  expect(text).not.toContain('/-/mtls/')
  expect(nginxConfiguration(withPeers)).toContain('/-/mtls/')
})

test.each([
  [true, ['user root root;']],
  [false, []],
])('root %s', (isRoot, expected) => {
  expect(lines(nginxConfiguration({ ...plain, isRoot }), 'user')).toEqual(expected)
})

test('a folder of any name is one word of each line that names it', () => {
  const named = nginxConfiguration({ ...withPeers, directory: '/tmp/a b;{"c\\' })
    .split('\n')
    .filter(line => line.includes('/tmp/'))
  expect(named.length).toBeGreaterThan(10)
  expect(named.filter(line => !/"(?:unix:)?\/tmp\/a b;\{\\"c\\\\\/[\w.]+"/.test(line))).toEqual([])
})

test('braces are in pairs, and every line of a block ends as one', () => {
  for (const options of [plain, withPeers]) {
    const text = nginxConfiguration(options)
    expect(text.split('{').length).toBe(text.split('}').length)
    expect(text.split('\n').filter(line => line.trim() !== '' && !/[;{}]$/.test(line))).toEqual([])
    expect(text).not.toMatch(/undefined|NaN|\[object/)
  }
})

describe('what a client says', () => {
  test.each(['http', 'mtls'] as const)('of none of it a peer hears, by %s', way => {
    const text = block(nginxConfiguration(withPeers), peersOf(way))
    expect(text).toContain('proxy_pass_request_headers off;')
    expect(text).toContain('proxy_pass_request_body off;')
    const set = lines(text, 'proxy_set_header')
    expect(set.filter(line => /\$(http|remote|arg|cookie)_/.test(line))).toEqual([])
    expect(set.map(line => line.split(' ')[1])).toEqual(['Host', 'Connection', 'X-Spegel-Mirrored', 'Range', 'Authorization'])
  })

  test('in headers of the plane is replaced, on every port', () => {
    const text = nginxConfiguration(withPeers)
    const asking = text.split('location / {').slice(1)
    expect(asking).toHaveLength(2)
    for (const one of asking) {
      const set = lines(one.slice(0, one.indexOf('}')), 'proxy_set_header')
      expect(set).toContain(`proxy_set_header ${planeHeaders.remote} $remote_addr;`)
      expect(set).toContain(`proxy_set_header ${planeHeaders.worker} $pid;`)
      expect(set).toContain(`proxy_set_header ${planeHeaders.since} $msec;`)
      expect(set).toContain(`proxy_set_header ${planeHeaders.again} "";`)
    }
    const again = lines(block(text, 'location @again'), 'proxy_set_header')
    expect(again).toContain(`proxy_set_header ${planeHeaders.again} $order;`)
  })

  test('leads to nothing that only the agent may lead to', () => {
    const text = nginxConfiguration(withPeers)
    const places = text.split('location ').filter(one => /^(~|=|@away|@busy)/.test(one))
    expect(places.length).toBeGreaterThan(6)
    expect(places.filter(one => !one.includes('internal;'))).toEqual([])
  })
})

describe('what a peer answers', () => {
  const text = block(nginxConfiguration(plain), peersOf('http'))

  test.each([300, 302, 400, 401, 404, 429, 451, 500, 503, 599])('%i leads to another', status => {
    expect(lines(text, 'error_page')[0]?.split(' ')).toContain(`${status}`)
  })

  test('a range beyond the end is told as it is', () => {
    expect(lines(text, 'error_page')[0]?.split(' ')).not.toContain('416')
  })

  test.each(['Content-Encoding', 'OCI-Namespace', 'Docker-Content-Digest'])('%s of it is not passed on', name => {
    expect(lines(text, 'proxy_hide_header')).toContain(`proxy_hide_header ${name};`)
  })

  // biome-ignore format: a table
  test.each([
    ['of the length that its head had', '300:300', '0'],
    ['of another length', '300:301', '1'],
    ['of none', '300:', '1'],
    ['whose head nobody asked for', ':300', '0'],
    ['whose head nobody asked for, of none', ':', '1'],
    ['whose head nobody asked for, of a length that no blob has', ':999999999999', '1'],
  ])('a body %s: bytes a second', (_what, lengths, expected) => {
    const map = block(nginxConfiguration(plain), 'map "$peer_length:$upstream_http_content_length" $peer_rate')
    const rows = Array.from(map.matchAll(/"~(.+)" (\d);/g), ([, form = '', rate]) => ({ form: new RegExp(form), rate }))
    expect(rows.find(({ form }) => form.test(lengths))?.rate ?? /default (\d);/.exec(map)?.[1]).toBe(expected)
    expect(lines(text, 'limit_rate')).toEqual(['limit_rate $peer_rate;'])
  })

  test('it leads to no file here, and to no other peer', () => {
    expect(lines(text, 'proxy_ignore_headers')[0]).toContain('X-Accel-Redirect')
  })
})

test('of each body it is told how it ended, also where another answer came in its place, and of what was turned away', () => {
  const text = nginxConfiguration(withPeers)
  expect(lines(text, 'access_log')).toEqual(['access_log "/tmp/plane/told" told if=$is_told;'])
  expect(lines(text, 'map')).toContain('map $limit_conn_status $is_told { REJECTED 1; default $order; }')
})

test('too many requests for content are turned away at the ports of containerd alone; other mirrors and probes there not', () => {
  const text = nginxConfiguration(withPeers)
  expect(lines(text, 'limit_conn')).toEqual(['limit_conn asking 512;'])
  expect(text.indexOf('limit_conn asking 512')).toBeLessThan(text.indexOf('ssl_verify_client'))
  expect(lines(text, 'map')).toContain('map "$http_x_spegel_mirrored:$uri" $asking { "~^:/v2/" containerd; default ""; }')
})

// biome-ignore format: a table
test.each([
  [3_000, 10_000, 40],
  [3_000, 500, 33],
  [120_000, 10_000, 150],
])('an agent that hangs is waited for no longer than it takes to answer: %i ms for heads, %i ms for bodies', (connectMs, stallMs, seconds) => {
  const text = nginxConfiguration({ ...withPeers, connectMs, stallMs })
  const asking = [...text.split('location / {').slice(1), block(text, 'location @again')]
  for (const one of asking) expect(lines(one.slice(0, one.indexOf('}')), 'proxy_read_timeout')).toEqual([`proxy_read_timeout ${seconds}s;`])
})

test('of an agent that hangs nothing is said on the pipe that it does not read', () => {
  const text = nginxConfiguration(withPeers)
  const asking = [...text.split('location / {').slice(1), block(text, 'location @again')]
  for (const one of asking) expect(lines(one.slice(0, one.indexOf('}')), 'error_log')).toEqual(['error_log stderr crit;'])
})

describe('paths', () => {
  // biome-ignore format: a table
  test.each([
    ['/var/lib/containerd/blobs/sha256/ab', false, '/-/file/7/var/lib/containerd/blobs/sha256/ab'],
    ['/var/lib/containerd/blobs/sha256/ab', true, '/-/part/7/var/lib/containerd/blobs/sha256/ab'],
    ['/a b/100%/x?y#z/ü/blobs/sha256/ab', false, '/-/file/7/a%20b/100%25/x%3Fy%23z/%C3%BC/blobs/sha256/ab'],
  ])('of a file %s, a part %s', (path, isPart, expected) => {
    expect(filePath(7, path, isPart)).toBe(expected)
  })

  test('of a peer', () => {
    const place = { host: '[fd00::1]', port: 29_999, target: '/v2/a/blobs/sha256:ab?ns=x.io' }
    expect(peerPath(8, 'mtls', place)).toBe('/-/mtls/8/[fd00::1]:29999/v2/a/blobs/sha256:ab?ns=x.io')
  })
})

test('what it tells of a body is JSON, whatever the status: nginx writes it in three digits', () => {
  const [, format = ''] = /log_format told escape=json '(.*)';/.exec(nginxConfiguration(plain)) ?? []
  const told = format.replace('$told_order', '7').replace('$status', '009').replaceAll(/\$\w+/g, '1')
  expect(JSON.parse(told)).toMatchObject({ order: 7, status: '009' })
})
