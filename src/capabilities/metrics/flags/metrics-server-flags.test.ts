// The command line of metrics-server v0.9.0: every flag, its default, and what is refused in which words.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { parseMetricsServerFlags } from './metrics-server-flags.ts'

function parsed(...words: readonly string[]) {
  const found = parseMetricsServerFlags(words)
  if (!found.ok) throw new Error(found.problems.map(({ message }) => message).join('\n'))
  return found
}

function messages(...words: readonly string[]): readonly (string | undefined)[] {
  const found = parseMetricsServerFlags(words)
  return found.ok ? [] : found.problems.map(({ message }) => message)
}

test("without flags upstream's defaults hold", () => {
  const { settings, warnings } = parsed()
  expect(warnings).toEqual([])
  const { nodeSelector, ...rest } = settings
  expect(nodeSelector.matches({ any: 'label' })).toBe(true)
  expect(rest).toEqual({
    kubeconfig: '',
    resolutionMs: 60_000,
    staleAfterMs: 150_000,
    isStrict: false,
    exposed: { swap: false, storage: false },
    kubelet: {
      requestTimeoutMs: 10_000,
      addressTypes: ['Hostname', 'InternalDNS', 'InternalIP', 'ExternalDNS', 'ExternalIP'],
      useNodeStatusPort: false,
      port: 10_250,
      isInsecure: false,
      isPlain: false,
      authorityFile: '',
      certificateFile: '',
      keyFile: '',
      format: 'text',
      gzip: false,
      isPinned: false,
    },
    serving: {
      port: 443,
      address: '0.0.0.0',
      certificateDirectory: 'apiserver.local.config/certificates',
      certificateFile: '',
      keyFile: '',
      named: [],
      minVersion: '',
      cipherSuites: [],
      curves: [],
      headers: {},
      inFlight: 400,
      requestTimeoutMs: 60_000,
      shutdownDelayMs: 0,
    },
    authentication: {
      kubeconfig: '',
      lookup: 'required',
      tokenMs: 10_000,
      clientAuthorityFile: '',
      frontProxy: {
        authorityFile: '',
        allowedNames: [],
        usernameHeaders: ['x-remote-user'],
        groupHeaders: ['x-remote-group'],
        uidHeaders: [],
        extraPrefixes: ['x-remote-extra-'],
      },
    },
    authorization: { kubeconfig: '', allowedMs: 10_000, refusedMs: 10_000, alwaysAllowPaths: ['/healthz', '/readyz', '/livez'] },
    verbosity: 0,
    vmodule: '',
    loggingFormat: 'text',
  })
})

// biome-ignore format: a table
test.each<[readonly string[], object]>([
  // What upstream's manifests and chart say.
  [['--cert-dir=/tmp', '--secure-port=10250', '--kubelet-preferred-address-types=InternalIP,ExternalIP,Hostname', '--kubelet-use-node-status-port', '--metric-resolution=15s'],
    { resolutionMs: 15_000, staleAfterMs: 37_500, kubelet: { addressTypes: ['InternalIP', 'ExternalIP', 'Hostname'], useNodeStatusPort: true }, serving: { port: 10_250, certificateDirectory: '/tmp' } }],
  [['--kubeconfig', 'k', '--authentication-kubeconfig=a', '--authorization-kubeconfig=b'], { kubeconfig: 'k', authentication: { kubeconfig: 'a' }, authorization: { kubeconfig: 'b' } }],
  [['--metric-resolution', '1m30s', '--kubelet-request-timeout=81s'], { resolutionMs: 90_000, kubelet: { requestTimeoutMs: 81_000 } }],
  [['--kubelet-preferred-address-types', 'InternalIP', '--kubelet-preferred-address-types=Hostname'], { kubelet: { addressTypes: ['InternalIP', 'Hostname'] } }],
  [['--kubelet-tls=pin'], { kubelet: { isPinned: true, isInsecure: false } }],
  [['--kubelet-insecure-tls'], { kubelet: { isInsecure: true } }],
  [['--kubelet-insecure-tls=false', '--kubelet-certificate-authority=ca.pem'], { kubelet: { isInsecure: false, authorityFile: 'ca.pem' } }],
  [['--kubelet-client-certificate=c', '--kubelet-client-key=k'], { kubelet: { certificateFile: 'c', keyFile: 'k' } }],
  [['--deprecated-kubelet-completely-insecure', '--kubelet-port=10255'], { kubelet: { isPlain: true, port: 10_255 } }],
  [['--tls-cert-file=c', '--tls-private-key-file=k', '--tls-min-version=VersionTLS13', '--tls-curve-preferences=29,4588'], { serving: { certificateFile: 'c', keyFile: 'k', minVersion: 'VersionTLS13', curves: ['29', '4588'] } }],
  [['--tls-sni-cert-key=a.crt,a.key', '--tls-sni-cert-key', 'b.crt,b.key:*.b.io,b.io'],
    { serving: { named: [{ certificateFile: 'a.crt', keyFile: 'a.key', names: [] }, { certificateFile: 'b.crt', keyFile: 'b.key', names: ['*.b.io', 'b.io'] }] } }],
  [['--bind-address=::1', '--max-requests-inflight=7', '--request-timeout=5s', '--shutdown-delay-duration=3s'], { serving: { address: '::1', inFlight: 7, requestTimeoutMs: 5_000, shutdownDelayMs: 3_000 } }],
  [['--max-requests-inflight=0'], { serving: { inFlight: Number.POSITIVE_INFINITY } }],
  [['--strict-transport-security-directives=max-age=300,includeSubDomains'], { serving: { headers: { 'strict-transport-security': 'max-age=300; includeSubDomains' } } }],
  [['--authentication-skip-lookup', '--authentication-tolerate-lookup-failure'], { authentication: { lookup: 'off' } }],
  [['--authentication-tolerate-lookup-failure'], { authentication: { lookup: 'tolerated' } }],
  [['--client-ca-file=ca', '--requestheader-client-ca-file=front', '--requestheader-allowed-names=a,b', '--requestheader-username-headers=X-U', '--requestheader-group-headers=X-G', '--requestheader-uid-headers=X-I', '--requestheader-extra-headers-prefix=X-E-'],
    { authentication: { clientAuthorityFile: 'ca', frontProxy: { authorityFile: 'front', allowedNames: ['a', 'b'], usernameHeaders: ['X-U'], groupHeaders: ['X-G'], uidHeaders: ['X-I'], extraPrefixes: ['X-E-'] } } }],
  [['--authentication-token-webhook-cache-ttl=1s', '--authorization-webhook-cache-authorized-ttl=2s', '--authorization-webhook-cache-unauthorized-ttl=0s', '--authorization-always-allow-paths=/livez,/readyz,/metrics', '--authorization-always-allow-paths=/open/*'],
    { authentication: { tokenMs: 1_000 }, authorization: { allowedMs: 2_000, refusedMs: 0, alwaysAllowPaths: ['/livez', '/readyz', '/metrics', '/open/*'] } }],
  [['-v', '4', '--logging-format=json', '--vmodule=a=1'], { verbosity: 4, loggingFormat: 'json', vmodule: 'a=1' }],
  [['a word', '-v2', '--', '--nope'], { verbosity: 2 }],
  // Ours.
  [['--stale-after=3m', '--compat=strict', '--expose-swap', '--expose-ephemeral-storage', '--kubelet-format=protobuf', '--kubelet-gzip'], { staleAfterMs: 180_000, isStrict: true, exposed: { swap: true, storage: true }, kubelet: { format: 'protobuf', gzip: true } }],
  [['--allow-fast-resolution', '--metric-resolution=5s', '--kubelet-request-timeout=4s'], { resolutionMs: 5_000 }],
])('%j', (words, expected) => {
  expect(parsed(...words).settings).toMatchObject(expected)
})

test.each(['-l', '--node-selector'])('%s chooses nodes by their labels', flag => {
  const { nodeSelector } = parsed(flag, 'type!=virtual-kubelet').settings
  expect([{}, { type: 'virtual-kubelet' }].map(labels => nodeSelector.matches(labels))).toEqual([true, false])
})

test('port 0 serves nothing', () => expect(parsed('--secure-port=0').settings.serving).toBeUndefined())

test('who asks for the version is told it, whatever else is said', () => {
  expect(parsed('--version', '--metric-resolution=1s').isVersionAsked).toBe(true)
  expect(parsed('--version=false').isVersionAsked).toBe(false)
})

// biome-ignore format: a table
test.each<[readonly string[], readonly string[]]>([
  [['--nope'], ['unknown flag: --nope']],
  [['--nope=1', '-x', '--metric-resolution'], ['unknown flag: --nope', "unknown shorthand flag: 'x' in -x", 'flag needs an argument: --metric-resolution']],
  [['--metric-resolution=9s', '--kubelet-request-timeout=8s'], ['metric-resolution should be a time duration at least 10s, but value 9s provided']],
  [['--metric-resolution=4s', '--kubelet-request-timeout=1s', '--allow-fast-resolution'], ['metric-resolution should be a time duration at least 5s, but value 4s provided']],
  [['--metric-resolution=15s', '--kubelet-request-timeout=14s'], ['metric-resolution should be larger than kubelet-request-timeout, but metric-resolution value 15s kubelet-request-timeout value 14s provided']],
  [['--metric-resolution=abc'], ['invalid argument "abc" for "--metric-resolution" flag: time: invalid duration "abc"']],
  [['--kubelet-request-timeout=0s'], ['kubelet-request-timeout should be positive']],
  [['--kubelet-request-timeout=-1s'], ['kubelet-request-timeout should be positive']],
  [['--kubelet-tls=pin', '--kubelet-insecure-tls'], ['cannot use both --kubelet-tls=pin and --kubelet-insecure-tls']],
  [['--kubelet-tls=pin', '--kubelet-certificate-authority=/x'], ['cannot use both --kubelet-tls=pin and --kubelet-certificate-authority']],
  [['--kubelet-tls=pin', '--deprecated-kubelet-completely-insecure'], ['cannot use both --kubelet-tls=pin and --deprecated-kubelet-completely-insecure']],
  [['--kubelet-insecure-tls', '--kubelet-certificate-authority=/x'], ['cannot use both --kubelet-certificate-authority and --kubelet-insecure-tls']],
  [['--kubelet-insecure-tls', '--deprecated-kubelet-completely-insecure'], ['cannot use both --kubelet-insecure-tls and --deprecated-kubelet-completely-insecure']],
  [['--kubelet-certificate-authority=/x', '--deprecated-kubelet-completely-insecure'], ['cannot use both --kubelet-certificate-authority and --deprecated-kubelet-completely-insecure']],
  [['--kubelet-client-key=k', '--kubelet-client-certificate=c', '--deprecated-kubelet-completely-insecure'],
    ['cannot use both --kubelet-client-key and --deprecated-kubelet-completely-insecure', 'cannot use both --kubelet-client-certificate and --deprecated-kubelet-completely-insecure']],
  [['--kubelet-client-key=k'], ['need both --kubelet-client-key and --kubelet-client-certificate']],
  [['--kubelet-client-certificate=c'], ['need both --kubelet-client-key and --kubelet-client-certificate']],
  [['--kubelet-insecure-tls=maybe'], ['invalid argument "maybe" for "--kubelet-insecure-tls" flag: strconv.ParseBool: parsing "maybe": invalid syntax']],
  [['--kubelet-port=70000'], ['--kubelet-port 70000 must be between 1 and 65535, inclusive']],
  [['--secure-port=-1'], ['--secure-port -1 must be between 0 and 65535, inclusive. 0 for turning off secure port']],
  [['--bind-address=localhost'], ['invalid argument "localhost" for "--bind-address" flag: failed to parse IP: "localhost"']],
  [['--logging-format=xml'], ['format: Invalid value: "xml": Unsupported log format']],
  [['--tls-min-version=foo'], ['unknown tls version "foo"']],
  [['--tls-curve-preferences=7'], ['tls curve preference 7 is not supported']],
  [['--tls-sni-cert-key=a.crt'], ['invalid argument "a.crt" for "--tls-sni-cert-key" flag: expected comma separated certificate and key file paths']],
  [['--authorization-always-allow-paths=/a*b'], ['only trailing * allowed in "/a*b"']],
  [['--goaway-chance=0.5'], ['--goaway-chance can not be less than 0 or greater than 0.02']],
  [['--max-requests-inflight=-1'], ['--max-requests-inflight can not be negative value']],
  [['--stale-after=10s', '--metric-resolution=15s'], ['--stale-after: found 10s, expected at least --metric-resolution']],
  [['--compat=loose'], ['--compat: found loose, expected ours or strict']],
  [['--kubelet-format=json'], ['--kubelet-format: found json, expected text or protobuf']],
])('%j is refused', (words, expected) => {
  expect(messages(...words)).toEqual(expected)
})

test('a selector that cannot be read is refused by the flag', () => {
  const found = parseMetricsServerFlags(['--node-selector=a in ('])
  expect(found.ok ? [] : found.problems.map(({ where }) => where)).toEqual(['--node-selector'])
})

const samples: Readonly<Record<string, string>> = {
  bool: 'true',
  duration: '20s',
  int: '5',
  float: '0',
  float32: '5',
  int32Slice: '29',
  ip: '127.0.0.1',
  Level: '2',
  namedCertKey: 'a,b',
}
const words: Readonly<Record<string, string>> = {
  'logging-format': 'json',
  'tls-min-version': 'VersionTLS12',
  'tls-cipher-suites': 'TLS_AES_128_GCM_SHA256',
}
const flags = readFileSync(join(import.meta.dirname, 'testdata', 'upstream-flags.txt'), 'utf8')
  .split('\n')
  .filter(line => line !== '' && !line.startsWith('#'))
  .map(line => line.split(' '))

test('every flag of upstream is taken, with effect or with a line that says there is none', () => {
  expect(flags.length).toBeGreaterThan(100)
  const plain = JSON.stringify(parsed().settings)
  // Given on both sides: what one of a pair is without the other is refused above.
  const beside: Readonly<Record<string, readonly string[]>> = {
    'kubelet-client-key': ['--kubelet-client-certificate=c'],
    'kubelet-client-certificate': ['--kubelet-client-key=k'],
  }
  const silent = flags.flatMap(([name = '', type = '']) => {
    const given = [`--${name}=${words[name] ?? samples[type] ?? 'a'}`, ...(beside[name] ?? [])]
    const { settings, warnings, isVersionAsked } = parsed(...given)
    const isHeard =
      JSON.stringify({ ...settings, nodeSelector: String(settings.nodeSelector) }) !==
      JSON.stringify({ ...JSON.parse(plain), nodeSelector: '' })
    return isHeard || isVersionAsked || warnings.length > 0 ? [] : [name]
  })
  // Its sample is the default.
  expect(silent).toEqual(['goaway-chance'])
})
