import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import type { Contact, KubeletAnswer, KubeletFacts, SeenCertificate, Tried, Unreached } from './kubelet-facts.ts'
import { judgeKubelets } from './kubelet-judgement.ts'
import { pinLines } from './kubelet-report.ts'
import { kubeletFindings } from './metrics-checks.ts'

const nowMs = Date.parse('2026-03-01T12:00:00Z')
const dayMs = 86_400_000

const certificate = (change: Partial<SeenCertificate> = {}): Contact => ({
  kind: 'certificate',
  certificate: {
    names: ['n1', '10.0.0.1'],
    subject: 'CN=system:node:n1',
    issuer: 'CN=kubernetes',
    fromMs: nowMs - dayMs,
    untilMs: nowMs + dayMs,
    chain: undefined,
    isNamed: true,
    ...change,
  },
})
const away = (why: Unreached): Contact => ({ kind: 'unreached', why, message: '' })
const own = { chain: 'SELF_SIGNED_CERT_IN_CHAIN', issuer: 'CN=n1-ca@1764000000' }
const zero = { chain: 'DEPTH_ZERO_SELF_SIGNED_CERT', issuer: 'CN=n1' }

const tried = (node: string, type: string, contact: Contact, answer?: KubeletAnswer): Tried => ({
  ...{ node, type, address: `${type}.${node}`, port: 10_250, contact },
  ...(answer === undefined ? {} : { answer }),
})

const facts = (all: readonly Tried[], change: Partial<KubeletFacts> = {}): KubeletFacts => ({
  nowMs,
  nodes: [...new Set(all.map(({ node }) => node))],
  tried: all,
  pending: [],
  servedBy: undefined,
  order: ['InternalIP', 'ExternalIP', 'Hostname'],
  orderFrom: 'defaults',
  notes: [],
  ...change,
})

describe('kinds of certificates and of silence', () => {
  // biome-ignore format: a table
  test.each<[string, Contact, readonly string[], string]>([
    ['signed by the cluster',        certificate(),                                             [],                    'verifies; it names n1, 10.0.0.1; signed by CN=kubernetes; until 2026-03-02T12:00:00Z'],
    ['self-signed',                  certificate(zero),                                         ['self-signed'],       'self-signed'],
    ["by the kubelet's own authority", certificate(own),                                        ['self-signed'],       'self-signed'],
    ['another root in its chain',    certificate({ chain: 'SELF_SIGNED_CERT_IN_CHAIN' }),       ['unknown-authority'], 'is not the cluster'],
    ['an authority nobody knows',    certificate({ chain: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' }), ['unknown-authority'], '(UNABLE_TO_VERIFY_LEAF_SIGNATURE)'],
    ['many names, signed by others', certificate({ chain: 'X', names: [...'abcdefg'] }),         ['unknown-authority'], 'signed by CN=kubernetes, which is not the cluster\'s authority (X); it names a, b, c, d, e and 2 more; until 2026'],
    ['another name',                 certificate({ isNamed: false }),                           ['wrong-name'],        'it does not name InternalIP.n1'],
    ['no name at all',               certificate({ isNamed: false, names: [] }),                ['wrong-name'],        'it names no name'],
    ['over, by our clock',           certificate({ untilMs: nowMs }),                           ['expired'],           'it ended at 2026-03-01T12:00:00Z'],
    ['over, by the library',         certificate({ chain: 'CERT_HAS_EXPIRED' }),                ['expired'],           'it ended at'],
    ['not begun',                    certificate({ fromMs: nowMs + 1 }),                        ['not-yet-valid'],     'it begins at'],
    ['not begun, by the library',    certificate({ chain: 'CERT_NOT_YET_VALID' }),              ['not-yet-valid'],     'it begins at'],
    ['all that can be wrong',        certificate({ ...zero, isNamed: false, untilMs: 0 }),      ['self-signed', 'expired', 'wrong-name'], 'self-signed'],
    ['refused',                      away('refused'),                                           ['refused'],           'nobody listens there'],
    ['silent',                       away('timeout'),                                           ['timeout'],           'no answer in time'],
    ['no route',                     away('no-route'),                                          ['no-route'],          'no way there from here'],
    ['a name that is not known',     away('no-name'),                                           ['no-name'],           'its name is not known here'],
    ['no TLS',                       away('no-tls'),                                            ['no-tls'],            'does not speak TLS'],
    ['broken',                       away('broken'),                                            ['broken'],            'the connection broke'],
    ['not tried',                    away('untried'),                                           ['untried'],           'not tried'],
  ])('%s', (_name, contact, doubts, told) => {
    const [row] = judgeKubelets(facts([tried('n1', 'InternalIP', contact)])).rows
    expect(row?.doubts).toEqual(doubts)
    expect(row?.told).toContain(told)
  })
})

describe('what is to be done', () => {
  const ip = (node: string, contact: Contact, answer?: KubeletAnswer) => tried(node, 'InternalIP', contact, answer)
  const host = (node: string, contact: Contact) => tried(node, 'Hostname', contact)
  const fine = certificate()
  const misnamed = certificate({ isNamed: false })
  const asks = { name: 'csr-1', node: 'n1', by: 'system:node:n1', sinceMs: nowMs - dayMs }
  const refusal = (reason: string): KubeletAnswer => ({ kind: 'refused', reason, message: reason })
  // biome-ignore format: a table
  test.each<[string, readonly Tried[], readonly string[] | undefined, readonly string[], Partial<KubeletFacts>?]>([
    ['nothing, where all verify',               [ip('n1', fine), ip('n2', fine)],                                     ['InternalIP', 'ExternalIP', 'Hostname'], []],
    ['nothing, where another address does not', [ip('n1', fine), host('n1', misnamed)],                               ['InternalIP', 'ExternalIP', 'Hostname'], []],
    ['another order',                           [ip('n1', misnamed), host('n1', fine)],                               ['Hostname'], ['--kubelet-preferred-address-types=Hostname']],
    ['an order for nodes of two kinds',         [ip('n1', misnamed), host('n1', fine), ip('n2', fine)],               ['Hostname', 'InternalIP'], ['--kubelet-preferred-address-types=Hostname,InternalIP']],
    ['an order past an address that is silent', [ip('n1', away('timeout')), host('n1', fine)],                        ['Hostname'], ['--kubelet-preferred-address-types=Hostname']],
    ['no order of what contradicts',            [ip('n1', misnamed), host('n1', fine), ip('n2', fine), host('n2', misnamed)], undefined, ['insecureTls']],
    ['no order that no setting takes',          [ip('n1', misnamed), tried('n1', 'Odd', fine)],                       ['Odd'], []],
    ['a cluster that signs',                    [ip('n1', certificate(zero)), host('n1', certificate(zero))],         undefined, ['serverTLSBootstrap: true', 'insecureTls']],
    ['one node that is not signed',             [ip('n1', fine), ip('n2', certificate(own))],                         undefined, ['serverTLSBootstrap: true', 'insecureTls']],
    ['what is over',                            [ip('n1', certificate({ untilMs: 0 }))],                              undefined, ['serverTLSBootstrap: true', 'insecureTls']],
    ['signed for names that no node has',       [ip('n1', misnamed), host('n1', misnamed)],                           undefined, ['kubectl get nodes -o wide', 'insecureTls']],
    ['to approve',                              [ip('n1', certificate(own))],                                         undefined, ['kubectl certificate approve csr-1', 'insecureTls'], { pending: [asks] }],
    ['to approve, and to ask for',              [ip('n1', certificate(own)), ip('n2', certificate(own))],             undefined, ['kubectl certificate approve csr-1', 'serverTLSBootstrap: true', 'insecureTls'], { pending: [asks] }],
    ['nothing to approve of a stranger',        [ip('n1', fine)],                                                     ['InternalIP', 'ExternalIP', 'Hostname'], [], { pending: [{ ...asks, node: undefined }] }],
    ['a node that is down says nothing',        [ip('n1', fine), ip('n2', away('refused'))],                          ['InternalIP', 'ExternalIP', 'Hostname'], []],
    ['from outside',                            [ip('n1', away('timeout')), host('n1', away('no-name'))],             undefined, ['exec deploy/ballast-apiserver', '--image=']],
    ['from outside, with what the API knows',   [ip('n1', away('no-route')), ip('n2', away('untried'))],              undefined, ['kubectl certificate approve csr-1', 'exec deploy/ballast-apiserver', '--image='], { pending: [asks] }],
    ['refused everywhere is not outside',       [ip('n1', away('refused'))],                                          undefined, []],
    ['whom kubelets do not know',               [ip('n1', fine, refusal('unauthorized'))],                            ['InternalIP', 'ExternalIP', 'Hostname'], ['authentication: {webhook', 'mode: Webhook']],
    ['who may not',                             [ip('n1', fine, refusal('forbidden'))],                               ['InternalIP', 'ExternalIP', 'Hostname'], ['nodes/metrics']],
    ['nobody',                                  [],                                                                   undefined, []],
  ])('%s', (_name, all, order, lines, change = {}) => {
    const judgement = judgeKubelets(facts(all, change))
    expect(judgement.order).toEqual(order)
    const pasted = judgement.cures.flatMap(cure => cure.lines).filter(line => !/^(kubectl get csr|capabilities\.metrics\.kubelet\.preferred|--kubelet-insecure)/.test(line))
    expect(pasted).toEqual(lines.map(line => expect.stringContaining(line)))
  })

  test('two nodes with one address and port', () => {
    const at = (node: string, port: number): Tried => ({ ...ip(node, fine), address: '10.0.0.1', port })
    expect(judgeKubelets(facts([at('n1', 10_250), at('n2', 10_250)])).shared).toEqual([
      { address: '10.0.0.1:10250', nodes: ['n1', 'n2'] },
    ])
    expect(judgeKubelets(facts([at('n1', 10_250), at('n2', 10_251)])).shared).toEqual([])
  })
})

describe('pins', () => {
  const keys = ['one', 'other'].map(word => createHash('sha256').update(word).digest('base64url'))
  const [one = '', other = ''] = keys
  const seen = (node: string, key: string): Tried => ({
    ...{ node, type: 'InternalIP', address: `10.0.0.${node.charCodeAt(0)}`, port: 10_250 },
    contact: {
      kind: 'certificate',
      certificate: { names: [], subject: '', issuer: '', fromMs: 0, untilMs: 0, chain: undefined, isNamed: false, key },
    },
  })
  const uids = new Map([
    ['a', 'u'],
    ['b', 'u'],
    ['c', 'u'],
    ['d', 'u'],
  ])
  const all = ['a', 'b', 'c', 'd'].map(name => seen(name, one))

  test('each that differs has its line, and what to do where nothing else helps', () => {
    const pins = { a: `sha256:${one} u`, b: `sha256:${other} u`, c: '???' }
    expect(pinLines({ tried: all, pinning: { namespace: 'ns', pins, uids } })).toEqual([
      'Pins: 3 in ConfigMap ns/ballast-kubelet-pins; no authority is asked.',
      `  b: shows sha256:${one}, which is not its pin; to believe it from now on: kubectl -n ns patch configmap ballast-kubelet-pins --type=merge -p '{"data":{"b":null}}'`,
      `  c: what is kept of it is no pin; to believe it from now on: kubectl -n ns patch configmap ballast-kubelet-pins --type=merge -p '{"data":{"c":null}}'`,
      `  d: unpinned, its next key is kept: now sha256:${one}`,
    ])
  })

  test('what is not its pin is a finding, and no authority is asked', () => {
    const pins = { a: `sha256:${one} u`, b: `sha256:${other} u`, c: '' }
    const given = facts(all, { pinning: { namespace: 'ns', pins, uids } })
    const found = kubeletFindings(given, judgeKubelets(given))
    expect(found.map(({ id, object }) => [id, object])).toEqual([
      ['kubelet-pin', 'Node b'],
      ['kubelet-pin', 'Node c'],
    ])
  })

  test('where they may not be read, that is said; without pins nothing', () => {
    expect(pinLines({ tried: all, pinning: { namespace: 'ns', pins: undefined, uids } })).toEqual([
      'Pins: ConfigMap ns/ballast-kubelet-pins could not be read.',
    ])
    expect(pinLines({ tried: all })).toEqual([])
  })
})
